"""Poll runs, and the answers of the feed that could not be read."""

import zlib
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from operations.admin.names import RacesNamed
from raceday.clock import now
from raceday.models import FeedPayload, PollRun
from raceday.staff.pieces import ReadOnly, link, milliseconds, nz_time, told

PAYLOAD_SHOWN_BYTES = 64 * 1024
FAULTS = set(PollRun.Outcome) - {PollRun.Outcome.CHANGED, PollRun.Outcome.UNCHANGED, PollRun.Outcome.LATE}


class PolledWithinFilter(admin.SimpleListFilter):
    """How far back poll runs are listed, by Raceday's clock and not the machine's."""

    title = "time"
    parameter_name = "within"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("15", "Last 15 minutes"), ("60", "Last hour"), ("360", "Last 6 hours"), ("1440", "Last 24 hours")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PollRun]) -> QuerySet[PollRun]:
        minutes = self.value()
        if minutes not in dict(self.lookup_choices):
            return queryset
        return queryset.filter(polled_at__gte=now() - timedelta(minutes=int(minutes or 0)))


@admin.register(PollRun)
class PollRunAdmin(RacesNamed, ReadOnly, ModelAdmin):  # type: ignore[misc]  # unfold has no types, here and below
    list_display = ("polled", "race", "shown_outcome", "reason", "http_status", "fetch", "transform")
    list_filter = (PolledWithinFilter, "outcome", "http_status")
    search_fields = ("reason", "race_id")
    search_help_text = "a race, a meeting, part of a reason"
    fields = (
        "polled", "race", "race_id", "outcome", "reason", "generated", "http_status", "body_bytes",
        "fetch", "transform", "left_out", "answer",
    )  # fmt: skip
    readonly_fields = ("polled", "race", "generated", "fetch", "transform", "answer")
    list_per_page = 50
    paginator = InfinitePaginator  # a day has a hundred thousand poll runs; nobody needs their number on each page
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[PollRun]:
        return PollRun.objects.select_related("payload").defer("payload__body")

    @admin.display(description="polled, NZ", ordering="polled_at")
    def polled(self, run: PollRun) -> str | None:
        return nz_time(run.polled_at)

    @admin.display(description="feed's own time")
    def generated(self, run: PollRun) -> str | None:
        return nz_time(run.generated_at)

    @admin.display(description="fetch", ordering="fetch_ms")
    def fetch(self, run: PollRun) -> str:
        return milliseconds(run.fetch_ms)

    @admin.display(description="parse", ordering="transform_ms")
    def transform(self, run: PollRun) -> str:
        return milliseconds(run.transform_ms)

    @display(  # type: ignore[untyped-decorator]
        description="outcome",
        ordering="outcome",
        label={"changed": "success", "late": "warning"} | dict.fromkeys(FAULTS, "danger"),
    )
    def shown_outcome(self, run: PollRun) -> str:
        return run.outcome

    @admin.display(description="unreadable answer")
    def answer(self, run: PollRun) -> str:
        return link("read it", "raceday_feedpayload_change", run.pk) if hasattr(run, "payload") else told(None)


def payload_text(payload: FeedPayload) -> str:
    """Return the first 64 KiB of an answer as text, unpacked no further than that."""
    body = bytes(payload.body)
    if payload.encoding != "gzip":
        return body[:PAYLOAD_SHOWN_BYTES].decode(errors="replace")
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, PAYLOAD_SHOWN_BYTES).decode(errors="replace")
    except zlib.error as fault:
        return f"The answer is not readable as gzip: {fault}. Its first bytes: {body[:200]!r}"


@admin.register(FeedPayload)
class FeedPayloadAdmin(RacesNamed, ReadOnly, ModelAdmin):  # type: ignore[misc]
    """What could not be read, as it came."""

    race_field = "poll_run__race_id"
    ordering = ("-poll_run__polled_at",)
    list_display = ("polled", "race", "reason", "encoding")
    search_fields = ("poll_run__reason", "poll_run__race_id")
    search_help_text = PollRunAdmin.search_help_text
    fields = ("race", "run", "reason", "encoding", "size", "text")
    readonly_fields = ("race", "run", "reason", "size", "text")

    def poll_run(self, row: FeedPayload) -> PollRun:
        return row.poll_run

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeedPayload]:
        return FeedPayload.objects.select_related("poll_run").defer("body")

    @admin.display(description="polled, NZ", ordering="poll_run__polled_at")
    def polled(self, payload: FeedPayload) -> str | None:
        return nz_time(payload.poll_run.polled_at)

    @admin.display(description="reason")
    def reason(self, payload: FeedPayload) -> str | None:
        return payload.poll_run.reason

    @admin.display(description="poll run")
    def run(self, payload: FeedPayload) -> str:
        return link(told(nz_time(payload.poll_run.polled_at)), "raceday_pollrun_change", payload.pk)

    @admin.display(description="bytes kept")
    def size(self, payload: FeedPayload) -> int:
        return len(payload.body)

    @admin.display(description="answer, its first 64 KiB")
    def text(self, payload: FeedPayload) -> SafeString:
        return format_html('<pre class="text-xs">{}</pre>', payload_text(payload))
