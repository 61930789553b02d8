"""Where the lines of a chart lie."""

from datetime import UTC, datetime, timedelta

from raceday.staff.chart import BOTTOM, COLOURS, LEFT, RIGHT, TOP, Series, lay_out

SINCE = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
HOUR = SINCE + timedelta(hours=1)


def test_without_readings_there_is_no_chart() -> None:
    assert lay_out([Series(name="1 Tui", readings=[])], mark=SINCE) is None


def test_a_line_runs_from_edge_to_edge_and_is_scaled_from_nothing_to_a_round_top() -> None:
    chart = lay_out([Series(name="1 Tui", readings=[(SINCE, 0.0), (HOUR, 30.0)])], mark=HOUR)
    assert chart
    assert chart.lines[0].path == f"M{LEFT} {BOTTOM}L{RIGHT} {round(BOTTOM - (BOTTOM - TOP) * 3 / 4)}"
    assert [tick.label for tick in chart.up] == ["0 %", "10 %", "20 %", "30 %", "40 %"]
    assert chart.mark_at == RIGHT


def test_ticks_stand_on_round_minutes_of_the_nz_clock() -> None:
    late = SINCE + timedelta(minutes=3)
    chart = lay_out([Series(name="1 Tui", readings=[(late, 1.0), (HOUR, 1.0)])], mark=SINCE)
    assert chart
    assert [tick.label for tick in chart.across] == ["15:10", "15:20", "15:30", "15:40", "15:50", "16:00"]
    assert chart.mark_at is None


def test_a_single_reading_is_a_point() -> None:
    chart = lay_out([Series(name="1 Tui", readings=[(SINCE, 10.0)])], mark=HOUR)
    assert chart
    assert chart.lines[0].end == (LEFT, (TOP + BOTTOM) / 2)


def test_every_line_is_told_from_every_other() -> None:
    chart = lay_out([Series(name=str(number), readings=[(SINCE, 1.0)]) for number in range(30)], mark=SINCE)
    assert chart
    assert len({(line.colour, line.dash) for line in chart.lines}) == 30 > len(COLOURS)


def test_thousands_of_readings_are_drawn_with_a_point_a_unit_of_width() -> None:
    readings = [(SINCE + timedelta(seconds=number / 10), 5.0) for number in range(36_000)]
    chart = lay_out([Series(name="1 Tui", readings=readings)], mark=SINCE)
    assert chart
    assert chart.lines[0].path.count("L") == RIGHT - LEFT
