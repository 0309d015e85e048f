"""
Attacks of one hostile or busy client, and what the others notice: see `bench.attacks.__main__`.
"""
