"""
Proof by damage: two feedd processes, real servers, fifty viewers and a load; parts are killed,
stopped, cut and slowed; at the end the database's log says what every viewer should have been
given.

``python -m bench.chaos --seed 1 --minutes 5 --report out.json`` runs it. Everything it starts ends
with it.
"""
