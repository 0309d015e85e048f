"""The tables: the queries of each."""
