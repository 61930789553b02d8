"""The end of an upsert statement, so that a table's columns are written once."""


def on_conflict(key: str, row: str, columns: str, *, silent: str = "", where: str = "") -> str:
    """Return the clause that updates `columns`, and `silent` ones beside them, of a row that one of them changes.

    key: of the conflict. row: what INSERT INTO calls the table. columns, silent: names with ", " between them; a change
    of a silent one alone is no reason for an update. where: one more condition.

    >>> print(on_conflict("id", "race", "name, status", where="race.id > 0"))
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status
        WHERE race.id > 0 AND (race.name, race.status) IS DISTINCT FROM (excluded.name, excluded.status)
    """
    names = columns.split(", ")
    assigned = ", ".join(f"{column} = excluded.{column}" for column in [*names, *filter(None, silent.split(", "))])
    before = ", ".join(f"{row}.{column}" for column in names)
    after = ", ".join(f"excluded.{column}" for column in names)
    condition = f"{where} AND " if where else ""
    return f"ON CONFLICT ({key}) DO UPDATE SET {assigned}\n    WHERE {condition}({before}) IS DISTINCT FROM ({after})"
