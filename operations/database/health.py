"""SERVE, to staff: how the database is — connections, sizes, indexes, statements, replicas — as PostgreSQL tells it."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, DictField, FloatField, IntegerField, ListField

from operations.database import statistics
from raceday import clock, replicas
from raceday.api.fields import InstantField
from raceday.api.queries import read_query
from raceday.staff.routes import StaffViewSet, describe_staff


class Shape(serializers.Serializer[Any]):
    """Every part may be null, and `problems` then says why; every number may be, where PostgreSQL does not know it."""


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
    open = IntegerField(help_text="connections to this database that Raceday's processes keep, one a thread")
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
    scans = count("since the statistics began")
    last_scan_at = instant()
    bytes = count()
    is_unique = serializers.BooleanField()
    parts = IntegerField(help_text="indexes of partitions that are counted as this one")


class IndexesSerializer(Shape):
    used = IndexSerializer(many=True, help_text="at most 50, most used first")
    unused = IndexSerializer(many=True, help_text="at most 50 that were never used and guard no uniqueness")


class CacheSerializer(Shape):
    hit_ratio = number("0–1, of blocks found in PostgreSQL's memory")
    hits = count()
    reads = count()
    commits = count()
    rollbacks = count()
    deadlocks = count()
    temp_bytes = count()
    database_bytes = count()
    since = instant("when the statistics began; null: with the database")


class StatementSerializer(Shape):
    statement = word("without values, at most 300 characters")
    calls = count()
    total_ms = number()
    mean_ms = number()
    max_ms = number()
    rows = count()
    hit_ratio = number()


class StatementsSerializer(Shape):
    by_total = StatementSerializer(many=True, allow_null=True, help_text="20 that took the most time in all")
    by_mean = StatementSerializer(many=True, allow_null=True, help_text="20 that take the most time each")
    reason = word("why there are none")


class LongRunningSerializer(Shape):
    pid = IntegerField()
    application = word()
    state = word()
    seconds = number("of the statement, or of the transaction where that waits for its client")
    waits_for = word()
    wait_event = word()
    blocked_by = ListField(child=IntegerField())
    statement = word("without values, at most 300 characters")


class ReplicaSerializer(Shape):
    name = CharField()
    host = word()
    is_reachable = serializers.BooleanField()
    lag_seconds = number("that its newest poll is older than the primary's")
    is_used = serializers.BooleanField(help_text="near enough to be read from: REPLICA_MAX_LAG_SECONDS")


class DatabaseStatsSerializer(Shape):
    timestamp = InstantField()
    connections = ConnectionsSerializer(allow_null=True)
    pool = PoolSerializer(allow_null=True)
    tables = TableSerializer(many=True, allow_null=True, help_text="at most 50, largest first; partitions are apart")
    partitions = PartitionedSerializer(many=True, allow_null=True)
    indexes = IndexesSerializer(allow_null=True)
    cache = CacheSerializer(allow_null=True)
    statements = StatementsSerializer(allow_null=True)
    long_running = LongRunningSerializer(many=True, allow_null=True, help_text="at most 20 of more than a second")
    replicas = ReplicaSerializer(many=True)
    problems = DictField(child=CharField(), help_text="by part, why it is null")


class DatabaseHealthViewSet(StaffViewSet):
    @describe_staff("How the database is", DatabaseStatsSerializer)
    def stats(self, request: Request) -> Response:
        read_query(request)
        told = statistics.collect() | {"replicas": replicas.states(), "timestamp": clock.now()}
        return Response(DatabaseStatsSerializer(told).data)
