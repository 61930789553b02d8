"""The SQL of room 4. `write_poll` is the one statement a changed poll takes: one JSON parameter, every table."""

from functools import cache

from raceday.upsert import on_conflict

# The columns that a poll updates.
RACE = (
    "name, race_number, start_time, status, actual_start, meeting_id, race_date_nz, distance, track_condition, weather"
)
ENTRANT = (
    "name, runner_number, is_scratched, scratched_at, barrier, jockey, trainer_name, weight, silk_colours, "
    "silk_url_64, silk_url_128, is_favourite, is_mover, fixed_win_odds, fixed_place_odds, pool_win_odds, "
    "pool_place_odds, win_odds, place_odds, recorded_odds, hold_percentage, bet_percentage"
)
POOL = (
    "win_pool_total, place_pool_total, quinella_pool_total, trifecta_pool_total, exacta_pool_total, "
    "first4_pool_total, total_race_pool, data_quality_score"
)
RESULT = "results, dividends, result_status, result_time"
ALERT = (
    "entrant_id, severity, window_seconds, seen_cents, expected_cents, win_pool_cents, share_before_percentage, "
    "share_after_percentage, tote_odds_before, tote_odds_after, fixed_odds_before, fixed_odds_after, score, "
    "one_in_races, e_value, falls, artefact"
)
OUTCOME = "won, placed, final_dividend, final_odds, final_share_percentage, final_pool_cents"

# How often alerts were right. A share of the Win pool is a chance to win, with the takeout gone.
RECORD = """
SELECT count(*) AS settled, count(*) FILTER (WHERE won) AS won, sum(final_share_percentage) / 100 AS expected,
    sum(share_after_percentage) / 100 AS expected_when_raised
FROM late_money_alerts WHERE won IS NOT NULL AND final_share_percentage IS NOT NULL"""

# A race's readings as the detector takes them, oldest first.
WINDOW = """
SELECT json_agg(reading) FROM (
    SELECT min(polling_timestamp) AS polled_at, sum(win_pool_amount)::bigint AS win_pool_cents,
        json_object_agg(entrant_id, json_build_array(pool_win_odds, fixed_win_odds)) AS prices
    FROM money_flow_history
    WHERE race_id = %(race_id)s AND event_timestamp >= %(window_from)s AND event_timestamp < %(window_until)s
    GROUP BY event_timestamp ORDER BY event_timestamp) AS reading"""

READ_STATE = """
SELECT json_build_object(
    'version', mark.version,
    'polled_at', mark.polled_at,
    'generated_at', mark.generated_at,
    'digest', mark.digest,
    'last_reading_at', mark.last_reading_at,
    'win_pool_total', pool.win_pool_total,
    'result_status', result.result_status,
    'result_time', result.result_time,
    'dividends', result.dividends,
    'entrants', (
        SELECT json_build_object(
            'recorded_odds', json_object_agg(entrant_id, recorded_odds),
            'field', json_agg(entrant_id) FILTER (WHERE gone_at IS NULL))
        FROM entrants WHERE race_id = mark.race_id),
    'readings', (
        SELECT json_agg(json_build_object(
            'entrant_id', reading.entrant_id,
            'event_timestamp', reading.event_timestamp,
            'type', reading.type,
            'win_pool_amount', reading.win_pool_amount,
            'place_pool_amount', reading.place_pool_amount,
            'pool_place_odds', reading.pool_place_odds))
        FROM money_flow_history AS reading
        WHERE reading.race_id = mark.race_id
          AND reading.event_timestamp >= base.reading_at
          AND reading.event_timestamp <= least(mark.last_reading_at,
              greatest(mark.polled_at, %(polled_at)s) + %(most_ahead)s)),
    'window', ({window}),
    'alerts', (
        SELECT json_agg(json_build_object('entrant_id', entrant_id, 'severity', severity))
        FROM late_money_alerts WHERE race_id = mark.race_id))::text
FROM poll_marks AS mark
LEFT JOIN race_pools AS pool USING (race_id)
LEFT JOIN race_results AS result USING (race_id)
CROSS JOIN LATERAL (
    -- The newest reading before the poll; only a late poll has to look for it.
    SELECT CASE WHEN mark.last_reading_at < %(generated_at)s THEN mark.last_reading_at ELSE coalesce(
        (SELECT max(event_timestamp) FROM money_flow_history
         WHERE race_id = mark.race_id AND event_timestamp < %(generated_at)s
           AND event_timestamp > %(generated_at)s - interval '1 day'),
        %(generated_at)s) END AS reading_at) AS base
WHERE mark.race_id = %(race_id)s
""".replace("{window}", WINDOW)

OF_OTHER_RACES = """
SELECT coalesce(array_agg(entrant_id), '{}') FROM entrants WHERE entrant_id = ANY(%(ids)s) AND race_id <> %(race_id)s
"""

# An answer that is written again leaves no second row; what could not be stored at first takes its place once it is.
TOLD_AGAIN = """ON CONFLICT (race_id, polled_at) DO UPDATE SET
        generated_at = excluded.generated_at, outcome = excluded.outcome, transform_ms = excluded.transform_ms,
        left_out = excluded.left_out, reason = excluded.reason
    WHERE poll_runs.outcome NOT IN ('changed', 'unchanged', 'late')"""

# The answer itself stands as long as its poll does.
ARCHIVE = """INSERT INTO feed_answers (race_id, polled_at, generated_at, fetch_ms, sha256, base_at, body)
    SELECT race_id, %(polled_at)s, %(generated_at)s, %(fetch_ms)s, %(sha256)s, %(base_at)s::timestamptz, %(body)s
    FROM mark ON CONFLICT DO NOTHING"""

MARK_UNCHANGED = """
WITH mark AS (
    UPDATE poll_marks SET version = version + 1, polled_at = %(polled_at)s, generated_at = %(generated_at)s
    WHERE race_id = %(race_id)s AND version = %(version)s RETURNING race_id, changed_at
), answer AS (
    {archive}
), run AS (
    INSERT INTO poll_runs (race_id, polled_at, generated_at, outcome, http_status, body_bytes, fetch_ms, transform_ms,
        left_out, reason)
    SELECT race_id, %(polled_at)s, %(generated_at)s, 'unchanged', 200, %(body_bytes)s, %(fetch_ms)s, %(transform_ms)s,
        %(left_out)s, %(reason)s
    FROM mark
    {told_again})
SELECT false, changed_at FROM mark
""".replace("{told_again}", TOLD_AGAIN).replace("{archive}", ARCHIVE)

# Nothing is written unless `mark` finds the version the poll was worked out against: every other part joins it.
# A late poll (is_newest false) writes its readings, and leaves the race as the newer poll saw it.
WRITE_POLL = """
WITH poll AS MATERIALIZED (
    SELECT * FROM json_to_record(%(poll)s::json) AS poll (
        version bigint, is_newest boolean, outcome text, race_id text, meeting_id text, meeting_name text,
        country text, state text, race_type text, name text, race_number integer, status text,
        start_time timestamptz, actual_start timestamptz, race_date_nz date, distance integer, weather text,
        track_condition text, polled_at timestamptz, generated_at timestamptz, digest text, pools json, race_end json,
        body_bytes integer, fetch_ms float8, transform_ms float8, seconds_to_start integer, time_to_start integer,
        time_interval numeric, interval_type text, entrants json, points json, odds json, corrections json,
        newest_at timestamptz, last_reading_at timestamptz, gone json, alerts json, outcomes json, nz_time time,
        left_out integer, reason text)
), mark AS (
    INSERT INTO poll_marks AS mark (race_id, version, polled_at, generated_at, last_reading_at, digest)
    SELECT race_id, 1, polled_at, newest_at, last_reading_at, digest FROM poll
    ON CONFLICT (race_id) DO UPDATE SET
        version = mark.version + 1,
        polled_at = greatest(mark.polled_at, excluded.polled_at),
        generated_at = excluded.generated_at,
        last_reading_at = excluded.last_reading_at,
        changed_at = excluded.changed_at,
        digest = excluded.digest
    WHERE mark.version = (SELECT version FROM poll)
    RETURNING race_id, changed_at
), newest AS MATERIALIZED (
    SELECT poll.* FROM poll JOIN mark USING (race_id) WHERE is_newest
), meeting AS (
    INSERT INTO meetings (meeting_id, meeting_name, country, state, race_type, date)
    SELECT meeting_id, meeting_name, country, state, race_type, race_date_nz FROM newest
    ON CONFLICT (meeting_id) DO NOTHING
), race AS (
    INSERT INTO races AS race (race_id, {race})
    SELECT race_id, {race} FROM newest
    {changed_race}
    RETURNING race_id
), entrant AS (
    INSERT INTO entrants AS entrant (entrant_id, race_id, {entrant})
    SELECT row.entrant_id, newest.race_id, row.name, row.runner_number, row.is_scratched, row.scratched_at,
        row.barrier, row.jockey, row.trainer_name, row.weight, row.silk_colours, row.silk_url_64, row.silk_url_128,
        row.is_favourite, row.is_mover, row.fixed_win_odds, row.fixed_place_odds, row.pool_win_odds,
        row.pool_place_odds, coalesce(row.pool_win_odds, row.fixed_win_odds),
        coalesce(row.pool_place_odds, row.fixed_place_odds), row.recorded_odds, row.hold_percentage, row.bet_percentage
    FROM newest, json_to_recordset(newest.entrants) AS row (
        entrant_id text, name text, runner_number integer, is_scratched boolean, scratched_at timestamptz,
        barrier integer, jockey text, trainer_name text, weight numeric(5,2), silk_colours text, silk_url_64 text,
        silk_url_128 text, is_favourite boolean, is_mover boolean, fixed_win_odds numeric(10,2),
        fixed_place_odds numeric(10,2), pool_win_odds numeric(10,2), pool_place_odds numeric(10,2),
        recorded_odds numeric(10,2)[], hold_percentage numeric(5,2), bet_percentage numeric(5,2))
    {changed_entrant}
), pool AS (
    INSERT INTO race_pools AS pool (race_id, {pool}, last_updated)
    SELECT newest.race_id, row.win_cents / 100, row.place_cents / 100, row.quinella_cents / 100,
        row.trifecta_cents / 100, row.exacta_cents / 100, row.first4_cents / 100, row.total_cents / 100,
        row.data_quality_score, newest.generated_at
    FROM newest, json_to_record(newest.pools) AS row (win_cents numeric, place_cents numeric, quinella_cents numeric,
        trifecta_cents numeric, exacta_cents numeric, first4_cents numeric, total_cents numeric,
        data_quality_score integer)
    WHERE newest.pools IS NOT NULL
    {changed_pool}
), result AS (
    INSERT INTO race_results AS result (race_id, {result})
    SELECT newest.race_id, row.results, row.dividends, row.result_status, row.result_time
    FROM newest, json_to_record(newest.race_end) AS row (
        results jsonb, dividends jsonb, result_status text, result_time timestamptz)
    WHERE newest.race_end IS NOT NULL
    {changed_result}
), flow AS (
    INSERT INTO money_flow_history (entrant_id, race_id, hold_percentage, bet_percentage, type, time_to_start,
        seconds_to_start, time_interval, interval_type, event_timestamp, polling_timestamp, win_pool_amount,
        place_pool_amount, win_pool_percentage, place_pool_percentage, incremental_amount, incremental_win_amount,
        incremental_place_amount, fixed_win_odds, fixed_place_odds, pool_win_odds, pool_place_odds)
    SELECT row.entrant_id, poll.race_id, row.hold_percentage, row.bet_percentage, row.type, poll.time_to_start,
        poll.seconds_to_start, poll.time_interval, poll.interval_type, poll.generated_at, poll.polled_at,
        row.win_pool_amount, row.place_pool_amount, row.win_pool_percentage, row.place_pool_percentage,
        row.incremental_win_amount, row.incremental_win_amount, row.incremental_place_amount,
        row.fixed_win_odds, row.fixed_place_odds, row.pool_win_odds, row.pool_place_odds
    FROM poll JOIN mark USING (race_id), json_to_recordset(poll.points) AS row (
        entrant_id text, type text, hold_percentage numeric, bet_percentage numeric, win_pool_amount bigint,
        place_pool_amount bigint, win_pool_percentage numeric, place_pool_percentage numeric,
        incremental_win_amount bigint, incremental_place_amount bigint, fixed_win_odds numeric,
        fixed_place_odds numeric, pool_win_odds numeric, pool_place_odds numeric)
    ON CONFLICT DO NOTHING
), price AS (
    INSERT INTO odds_history (entrant_id, odds, type, event_timestamp)
    SELECT row.entrant_id, row.odds, row.type, row.event_timestamp
    FROM newest, json_to_recordset(newest.odds) AS row (
        entrant_id text, odds numeric, type text, event_timestamp timestamptz)
    ON CONFLICT DO NOTHING
), answer AS (
    {archive}
), run AS (
    INSERT INTO poll_runs (race_id, polled_at, generated_at, outcome, http_status, body_bytes, fetch_ms, transform_ms,
        left_out, reason)
    SELECT race_id, polled_at, generated_at, outcome, 200, body_bytes, fetch_ms, transform_ms, left_out, reason
    FROM poll JOIN mark USING (race_id)
    {told_again}
)
SELECT EXISTS (SELECT FROM race), changed_at FROM mark
"""
# What few polls have, and only they name: an update of readings, for one, would look at every partition.
SELDOM = {
    # All corrections are of one instant, the next reading's, which leaves one partition to look at.
    "corrections": """
    UPDATE money_flow_history AS reading SET
        incremental_amount = row.incremental_win_amount,
        incremental_win_amount = row.incremental_win_amount,
        incremental_place_amount = row.incremental_place_amount
    FROM poll JOIN mark USING (race_id), json_to_recordset(poll.corrections) AS row (
        entrant_id text, incremental_win_amount bigint, incremental_place_amount bigint)
    WHERE reading.entrant_id = row.entrant_id AND reading.event_timestamp = %(corrected_at)s""",
    "gone": """
    UPDATE entrants AS entrant SET gone_at = newest.generated_at
    FROM newest, json_array_elements_text(newest.gone) AS who
    WHERE entrant.entrant_id = who AND entrant.race_id = newest.race_id""",
    # `record`: how often earlier alerts of this severity were right. Whoever won is known once the race has ended.
    "alerts": """
    INSERT INTO late_money_alerts (race_id, raised_at, reading_at, seconds_since_start, {alert}, record)
    SELECT newest.race_id, newest.polled_at, newest.generated_at,
        round(extract(epoch FROM newest.polled_at - newest.start_time)), {row_alert},
        to_jsonb(record)
    FROM newest, json_to_recordset(newest.alerts) AS row (
        entrant_id text, severity smallint, window_seconds integer, seen_cents bigint, expected_cents bigint,
        win_pool_cents bigint, share_before_percentage numeric, share_after_percentage numeric,
        tote_odds_before numeric, tote_odds_after numeric, fixed_odds_before numeric, fixed_odds_after numeric,
        score float8, one_in_races float8, e_value float8, falls jsonb, artefact text)
    CROSS JOIN LATERAL ({record} AND late_money_alerts.severity = row.severity) AS record
    ON CONFLICT DO NOTHING
    RETURNING id, severity
), deliveries AS (
    INSERT INTO alert_deliveries (alert_id, target_id)
    SELECT alerts.id, target.id
    FROM alerts, newest, alert_targets AS target
    WHERE target.is_enabled AND alerts.severity >= target.min_severity
        AND (cardinality(target.race_types) = 0 OR newest.race_type = ANY(target.race_types))
        AND (cardinality(target.countries) = 0 OR newest.country = ANY(target.countries))
        AND NOT coalesce(CASE WHEN target.quiet_from <= target.quiet_until
            THEN newest.nz_time >= target.quiet_from AND newest.nz_time < target.quiet_until
            ELSE newest.nz_time >= target.quiet_from OR newest.nz_time < target.quiet_until END, false)""",
    "outcomes": """
    UPDATE late_money_alerts AS alert SET ({outcome}) = ({row_outcome})
    FROM newest, json_to_recordset(newest.outcomes) AS row (
        entrant_id text, won boolean, placed boolean, final_dividend numeric(10,2), final_odds numeric(10,2),
        final_share_percentage numeric(7,4), final_pool_cents bigint)
    WHERE alert.race_id = newest.race_id AND alert.entrant_id = row.entrant_id""",
}
PLACES = {
    "race": RACE,
    "entrant": ENTRANT,
    "pool": POOL,
    "result": RESULT,
    "changed_race": on_conflict("race_id", "race", RACE),
    # gone_at, which no answer names: an entrant that comes back is in the field again.
    "changed_entrant": on_conflict(
        "entrant_id", "entrant", f"{ENTRANT}, gone_at", where="entrant.race_id = excluded.race_id"
    ),
    "changed_pool": on_conflict("race_id", "pool", POOL, silent="last_updated"),
    "changed_result": on_conflict("race_id", "result", RESULT),
    "told_again": TOLD_AGAIN,
    "archive": ARCHIVE,
    "alert": ALERT,
    "row_alert": ", ".join(f"row.{column}" for column in ALERT.split(", ")),
    "outcome": OUTCOME,
    "row_outcome": ", ".join(f"row.{column}" for column in OUTCOME.split(", ")),
    "record": RECORD,
}


def _filled(statement: str) -> str:
    for place, text in PLACES.items():
        statement = statement.replace(f"{{{place}}}", text)
    return statement


@cache
def write_poll(*seldom: str) -> str:
    """Return the statement that writes a changed poll, with these parts of SELDOM in it."""
    parts = "".join(f"), {name} AS ({SELDOM[name]}\n" for name in seldom)
    return _filled(WRITE_POLL.replace("), run AS (", f"{parts}), run AS ("))
