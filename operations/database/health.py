"""SERVE to staff the state of the database: connections, sizes, indexes, statements, replicas."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, DictField, FloatField, IntegerField, ListField

from operations.database import statistics
from operations.database.examples import DATABASE_STATS
from raceday import clock, replicas
from raceday.api.description import example
from raceday.api.fields import InstantField
from raceday.api.queries import read_query
from raceday.staff.routes import StaffViewSet, describe_staff


class Shape(serializers.Serializer[Any]):
    """A part that is null has its reason in `problems`. A number is null if PostgreSQL does not know it."""


def word(help_text: str = "") -> CharField:
    return CharField(allow_null=True, help_text=help_text)


def count(help_text: str = "") -> IntegerField:
    return IntegerField(allow_null=True, help_text=help_text)


def number(help_text: str = "") -> FloatField:
    return FloatField(allow_null=True, help_text=help_text)


def instant(help_text: str = "") -> InstantField:
    return InstantField(allow_null=True, help_text=help_text)


class ApplicationConnectionsSerializer(Shape):
    application = CharField()
    state = word("null where the database's user may not see it")
    count = IntegerField()


class ConnectionsSerializer(Shape):
    max = IntegerField()
    used = IntegerField()
    by_application = ApplicationConnectionsSerializer(many=True, help_text="at most 50")


class PoolSerializer(Shape):
    max = IntegerField(help_text="DB_POOL_MAX")
    open = IntegerField(help_text="connections that Raceday's processes hold, one for each thread")
    by_state = DictField(child=IntegerField())


class TableSerializer(Shape):
    table = CharField()
    rows_estimate = count()
    dead_rows = count()
    table_bytes = count()
    index_bytes = count()
    total_bytes = count()
    sequential_scans = count()
    index_scans = count()
    vacuumed_at = instant()
    analyzed_at = instant()


class PartitionSerializer(Shape):
    table = CharField()
    since = instant()
    until = instant()
    rows_estimate = count()
    total_bytes = count()


class PartitionedSerializer(Shape):
    table = CharField()
    partitions = IntegerField()
    oldest_since = instant()
    newest_until = instant()
    rows_estimate = count()
    total_bytes = count()
    newest = PartitionSerializer(many=True, help_text="at most 40, newest first")


class IndexSerializer(Shape):
    table = CharField()
    index = CharField()
    scans = count("since PostgreSQL started counting")
    last_scan_at = instant()
    bytes = count()
    is_unique = serializers.BooleanField()
    parts = IntegerField(help_text="number of partition indexes that are counted together as this one")


class IndexesSerializer(Shape):
    used = IndexSerializer(many=True, help_text="at most 50, most used first")
    unused = IndexSerializer(many=True, help_text="at most 50 that were never used and are not unique indexes")


class CacheSerializer(Shape):
    hit_ratio = number("0–1, share of blocks found in PostgreSQL's memory")
    hits = count()
    reads = count()
    commits = count()
    rollbacks = count()
    deadlocks = count()
    temp_bytes = count()
    database_bytes = count()
    since = instant("when PostgreSQL started counting; null: when the database was created")


class StatementSerializer(Shape):
    statement = word("without values, at most 300 characters")
    calls = count()
    total_ms = number()
    mean_ms = number()
    max_ms = number()
    rows = count()
    hit_ratio = number()


class StatementsSerializer(Shape):
    by_total = StatementSerializer(many=True, allow_null=True, help_text="the 20 that took the most time in total")
    by_mean = StatementSerializer(many=True, allow_null=True, help_text="the 20 that take the most time for each call")
    reason = word("why there are no statements")


class LongRunningSerializer(Shape):
    pid = IntegerField()
    application = word()
    state = word()
    seconds = number("age of the statement, or of the transaction if it waits for its client")
    waits_for = word()
    wait_event = word()
    blocked_by = ListField(child=IntegerField())
    statement = word("without values, at most 300 characters")


class ReplicaSerializer(Shape):
    name = CharField()
    host = word()
    is_reachable = serializers.BooleanField()
    lag_seconds = number("how much older its newest poll is than the primary's")
    is_used = serializers.BooleanField(help_text="lags no more than REPLICA_MAX_LAG_SECONDS, so it is read")


@example(DATABASE_STATS)
class DatabaseStatsSerializer(Shape):
    timestamp = InstantField()
    connections = ConnectionsSerializer(allow_null=True)
    pool = PoolSerializer(allow_null=True)
    tables = TableSerializer(
        many=True, allow_null=True, help_text="at most 50, largest first; partitions are listed separately"
    )
    partitions = PartitionedSerializer(many=True, allow_null=True)
    indexes = IndexesSerializer(allow_null=True)
    cache = CacheSerializer(allow_null=True)
    statements = StatementsSerializer(allow_null=True)
    long_running = LongRunningSerializer(
        many=True, allow_null=True, help_text="at most 20 that have run for more than a second"
    )
    replicas = ReplicaSerializer(many=True)
    problems = DictField(child=CharField(), help_text="the reason for each part that is null")


class DatabaseHealthViewSet(StaffViewSet):
    @describe_staff("State of the database: connections, sizes, indexes, statements, replicas", DatabaseStatsSerializer)
    def stats(self, request: Request) -> Response:
        read_query(request)
        told = statistics.collect() | {"replicas": replicas.states(), "timestamp": clock.now()}
        return Response(DatabaseStatsSerializer(told).data)
