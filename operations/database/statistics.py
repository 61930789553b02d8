"""What PostgreSQL reports about itself, each part in a bounded statement; a refused part is None, with a reason."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.utils import DatabaseError

from raceday.selecting import select

MOST_CHARACTERS = 300
LONG_SECONDS = 1.0
LIMITS = {"long_seconds": LONG_SECONDS, "characters": 4 * MOST_CHARACTERS}
Rows = list[dict[str, Any]]

CONNECTIONS = """
SELECT coalesce(application_name, '') AS application, state, count(*) AS count, datname = current_database() AS is_ours
FROM pg_stat_activity WHERE backend_type = 'client backend'
GROUP BY 1, 2, 4 ORDER BY count DESC, 1, 2 LIMIT 50
"""
MOST_CONNECTIONS = """
SELECT current_setting('max_connections')::int AS max,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used
"""
# PostgreSQL counts rows since its statistics began, and estimates them at each ANALYZE: the larger is the nearer,
# unless neither has happened while there is something in the table.
SIZED = """
SELECT c.oid, c.relname AS table, c.relispartition, pg_relation_size(c.oid) AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes, pg_total_relation_size(c.oid) AS total_bytes,
    CASE WHEN c.reltuples < 0 AND coalesce(n_live_tup, 0) = 0 AND pg_relation_size(c.oid) > 0 THEN NULL
        ELSE greatest(c.reltuples, n_live_tup, 0)::bigint END AS rows_estimate,
    n_dead_tup AS dead_rows, seq_scan AS sequential_scans, idx_scan AS index_scans,
    greatest(last_vacuum, last_autovacuum) AS vacuumed_at, greatest(last_analyze, last_autoanalyze) AS analyzed_at
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE c.relkind = 'r'
"""
TABLES = f"SELECT * FROM ({SIZED}) AS sized WHERE NOT relispartition ORDER BY total_bytes DESC, 2 LIMIT 50"  # noqa: S608
PARTITIONS = f"""
SELECT parent.relname AS parent, sized.table, rows_estimate, total_bytes,
    substring(bound from 'FROM \\(''([^'']+)''\\)')::timestamptz AS since,
    substring(bound from 'TO \\(''([^'']+)''\\)')::timestamptz AS until
FROM ({SIZED}) AS sized JOIN pg_inherits ON inhrelid = sized.oid JOIN pg_class parent ON parent.oid = inhparent
JOIN pg_class child ON child.oid = sized.oid CROSS JOIN pg_get_expr(child.relpartbound, child.oid) AS bound
WHERE sized.relispartition ORDER BY parent, since DESC NULLS LAST LIMIT 10000
"""  # noqa: S608  no word of a request is in it
# Indexes of partitions are counted as the one of the parent that they are parts of.
INDEXES = """
SELECT coalesce(whole_table.relname, s.relname) AS table, coalesce(whole.relname, s.indexrelname) AS index,
    sum(idx_scan)::bigint AS scans, max(last_idx_scan) AS last_scan_at,
    sum(pg_relation_size(s.indexrelid))::bigint AS bytes, bool_or(i.indisunique) AS is_unique, count(*) AS parts
FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
LEFT JOIN pg_inherits ON inhrelid = s.indexrelid LEFT JOIN pg_class whole ON whole.oid = inhparent
LEFT JOIN pg_index whole_index ON whole_index.indexrelid = inhparent
LEFT JOIN pg_class whole_table ON whole_table.oid = whole_index.indrelid
GROUP BY 1, 2 ORDER BY scans DESC, bytes DESC, 2 LIMIT 300
"""
CACHE = """
SELECT blks_hit AS hits, blks_read AS reads, blks_hit / nullif(blks_hit + blks_read, 0)::float8 AS hit_ratio,
    xact_commit AS commits, xact_rollback AS rollbacks, deadlocks, temp_bytes, stats_reset AS since,
    pg_database_size(datname) AS database_bytes
FROM pg_stat_database WHERE datname = current_database()
"""
EXTENSION = """
SELECT quote_ident(nspname) || '.pg_stat_statements' FROM pg_extension
JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_stat_statements'
"""
STATEMENTS = """
SELECT left(query, %(characters)s) AS statement, calls, total_exec_time::float8 AS total_ms,
    mean_exec_time::float8 AS mean_ms, max_exec_time::float8 AS max_ms, rows,
    shared_blks_hit / nullif(shared_blks_hit + shared_blks_read, 0)::float8 AS hit_ratio
FROM {view} WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY {order} DESC LIMIT 20
"""
LONG = """
SELECT pid, application_name AS application, state, wait_event_type AS waits_for, wait_event,
    extract(epoch FROM clock_timestamp() - began)::float8 AS seconds,
    pg_blocking_pids(pid) AS blocked_by, left(query, %(characters)s) AS statement
FROM pg_stat_activity CROSS JOIN coalesce(CASE WHEN state = 'active' THEN query_start END, xact_start) AS began
WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
  AND clock_timestamp() - began > make_interval(secs => %(long_seconds)s)
ORDER BY seconds DESC LIMIT 20
"""

# Comments and quoted names first, or an apostrophe in them would be taken for the start of a value.
TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|$))
    | (?P<name>"(?:[^"]|"")*(?:"|$))
    | (?P<value>\b[eE]'(?:\\.|''|[^'\\])*(?:'|$) | '(?:''|[^'])*(?:'|$) | \$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|$)
        | (?<![\w$.])\d[\d.]*(?:[eE][+-]?\d+)?)""",
    re.VERBOSE | re.DOTALL,
)


def without_values(statement: str) -> str:
    """Return a statement on one line without its values and comments, at most 300 characters.

    Clients' values may be names, passwords and keys: they are useless here and may be valuable elsewhere.

    >>> without_values("SELECT 1 FROM users WHERE email = 'kim@racing.example' -- whose?")
    'SELECT ? FROM users WHERE email = ?'
    """
    bare = TOKEN.sub(lambda found: found["name"] or (" " if found["comment"] else "?"), statement)
    line = " ".join(bare.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def rows(statement: str) -> Rows:
    """Return what a statement selects, by column name; no statement shows its values."""
    found = select(statement, LIMITS)
    return [row | ({"statement": without_values(row["statement"])} if row.get("statement") else {}) for row in found]


def connections() -> dict[str, Any]:
    """Count connections of all databases by application and state, against what is admitted."""
    return rows(MOST_CONNECTIONS)[0] | {"by_application": rows(CONNECTIONS)}


def pool() -> dict[str, Any]:
    """Count the connections of Raceday's processes in this database, one for each thread."""
    ours = [row for row in rows(CONNECTIONS) if row["is_ours"] and row["application"].startswith("raceday")]
    by_state = {state or "unknown": 0 for state in ("active", "idle")}
    for row in ours:
        state = row["state"] or "unknown"
        by_state[state] = by_state.get(state, 0) + row["count"]
    return {"max": settings.DB_POOL_MAX, "open": sum(row["count"] for row in ours), "by_state": by_state}


def partitions() -> Rows:
    """Sum up the partitions of each history table, and show its newest 40 one by one."""
    by_parent: dict[str, Rows] = {}
    for row in rows(PARTITIONS):
        by_parent.setdefault(row.pop("parent"), []).append(row)
    return [_history(parent, parts) for parent, parts in by_parent.items()]


def _history(parent: str, parts: Rows) -> dict[str, Any]:
    counts = [part["rows_estimate"] for part in parts if part["rows_estimate"] is not None]
    return {
        "table": parent,
        "partitions": len(parts),
        "oldest_since": parts[-1]["since"],
        "newest_until": parts[0]["until"],
        "rows_estimate": sum(counts) if len(counts) == len(parts) else None,
        "total_bytes": sum(part["total_bytes"] for part in parts),
        "newest": parts[:40],
    }


def indexes() -> dict[str, Any]:
    """Tell which indexes are used most, and which never were and guard no uniqueness either."""
    found = rows(INDEXES)
    unused = [index for index in found if not index["scans"] and not index["is_unique"]]
    return {"used": [index for index in found if index["scans"]][:50], "unused": unused[:50]}


def statements() -> dict[str, Any]:
    """Tell which statements took the most time in all, and which on average; why not, if not."""
    with connection.cursor() as cursor:
        cursor.execute(EXTENSION)
        found = cursor.fetchone()
    if not found:
        return {"by_total": None, "by_mean": None, "reason": "the extension pg_stat_statements is not in this database"}
    lists = {
        name: rows(STATEMENTS.replace("{view}", found[0]).replace("{order}", order))
        for name, order in {"by_total": "total_exec_time", "by_mean": "mean_exec_time"}.items()
    }
    return {**lists, "reason": None}


def collect() -> dict[str, Any]:
    """Gather all parts in one transaction, each with 2 s at most.

    A part that PostgreSQL refuses or does not finish is None, and `problems` has the reason. Raises OperationalError if
    PostgreSQL does not answer.
    """
    parts: dict[str, Callable[[], Any]] = {
        "connections": connections,
        "pool": pool,
        "tables": lambda: rows(TABLES),
        "partitions": partitions,
        "indexes": indexes,
        "cache": lambda: rows(CACHE)[0],
        "statements": statements,
        "long_running": lambda: rows(LONG),
    }
    told: dict[str, Any] = {}
    problems: dict[str, str] = {}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '500ms'; SET LOCAL jit = off")
        for name, part in parts.items():
            try:
                with transaction.atomic():
                    told[name] = part()
            except DatabaseError as fault:
                if connection.connection is None or connection.connection.closed:
                    raise OperationalError("the connection was lost") from fault
                told[name], problems[name] = None, str(fault).partition("\n")[0]
    return {**told, "problems": problems}
