"""What the ringer asks of ``events``: a statement, for a connection without transactions."""

from feedd.core.event import MAX_ID
from feedd.core.runs import Runs


def news(after: int, holes: Runs, limit: int) -> tuple[str, list[int]]:
    """
    The SELECT, and its values, of the first `limit` rows above `after` or in `holes`, ascending:
    the id of each, and whether its writer rings for it.
    """
    where, values = "id BETWEEN ? AND ?", [after + 1, MAX_ID]
    for span in holes.spans:
        where += " OR id BETWEEN ? AND ?"
        values += span
    return f"SELECT id, rung FROM events WHERE {where} ORDER BY id LIMIT ?", [*values, limit]
