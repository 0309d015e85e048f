"""
Proof by damage: two feedd processes, real servers, fifty viewers and a load. Parts are killed,
stopped, cut and slowed. At the end the log in the database says what every viewer should have
received.

``python -m bench.chaos --seed 1 --minutes 5 --report out.json`` runs it. Everything it starts ends
with it.
"""
