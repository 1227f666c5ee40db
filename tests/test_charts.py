"""The geometry of charts: scales hold what they show, and no input breaks them."""

import itertools
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollcall.charts import Moment, draw_audience, nice_ticks, stack_bar, time_ticks

FRIDAY = datetime(2026, 11, 27, 14, 0, tzinfo=UTC)
SUNDAY = FRIDAY + timedelta(days=2, hours=1)


def numbers(path: str) -> list[float]:
    return [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", path)]


@given(st.integers(0, 10**9))
def test_nice_ticks_cover_the_highest_in_few_even_steps(highest: int) -> None:
    ticks = nice_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] >= highest
    assert 2 <= len(ticks) <= 6
    assert len({later - earlier for earlier, later in itertools.pairwise(ticks)}) == 1


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, [0, 1]),
        (3, [0, 1, 2, 3]),
        (78, [0, 20, 40, 60, 80]),
        (490, [0, 200, 400, 600]),
        (1000, [0, 500, 1000]),
    ],
)
def test_nice_ticks_are_round(highest: int, ticks: list[int]) -> None:
    assert nice_ticks(highest) == ticks


def test_daily_ticks_stay_on_local_midnight_when_clocks_go_back() -> None:
    zone = "America/Toronto"
    start = datetime(2026, 10, 30, 12, tzinfo=ZoneInfo(zone))
    ticks = time_ticks(start, start + timedelta(days=4), zone, 4)
    assert [(tick.day, tick.hour) for tick in ticks] == [(31, 0), (1, 0), (2, 0), (3, 0)]


@given(st.integers(1, 5 * 365 * 86_400), st.integers(2, 8))
def test_time_ticks_lie_within_and_are_few(seconds: int, wanted: int) -> None:
    end = FRIDAY + timedelta(seconds=seconds)
    ticks = time_ticks(FRIDAY, end, "UTC", wanted)
    assert len(ticks) <= wanted + 1
    assert all(FRIDAY <= tick <= end for tick in ticks)


def test_line_steps_from_each_count_to_the_next_and_holds_the_last() -> None:
    points = [(FRIDAY, 0), (FRIDAY + timedelta(days=1), 50), (SUNDAY, 100)]
    chart = draw_audience(points)
    assert re.fullmatch(r"M[\d.]+ [\d.]+(H[\d.]+V[\d.]+){2}H[\d.]+", chart.line)
    assert numbers(chart.line)[0] == chart.left
    assert numbers(chart.line)[1] == chart.bottom
    assert numbers(chart.line)[-1] == chart.right
    assert chart.area.startswith(chart.line)


def test_marked_moments_stand_at_their_time_and_level() -> None:
    points = [(FRIDAY, 78), (SUNDAY, 490)]
    moments = [Moment(FRIDAY, "Planned", 78), Moment(SUNDAY, "Sent", 490)]
    planned, sent = draw_audience(points, moments).marks
    chart = draw_audience(points, moments)
    assert (planned.x, planned.anchor) == (chart.left, "start")
    assert (sent.x, sent.anchor) == (chart.right, "end")
    assert chart.bottom > planned.y > sent.y >= chart.top


def test_labels_of_moments_close_together_stand_in_rows_of_their_own() -> None:
    points = [(FRIDAY - timedelta(days=20), 1), (SUNDAY, 490)]
    moments = [Moment(FRIDAY, "Planned", 78), Moment(SUNDAY, "Sent", 490)]
    far = [Moment(FRIDAY - timedelta(days=20), "Planned", 78), Moment(SUNDAY, "Sent", 490)]
    assert [mark.row for mark in draw_audience(points, moments, width=340).marks] == [0, 1]
    assert [mark.row for mark in draw_audience(points, far, width=340).marks] == [0, 0]


def test_time_labels_fit_the_span() -> None:
    def labels(span: timedelta, width: int = 900) -> list[str]:
        points = [(FRIDAY, 0), (FRIDAY + span, 9)]
        return [tick.label for tick in draw_audience(points, width=width).x_ticks]

    assert labels(timedelta(days=9), 340) == ["30 Nov", "3 Dec", "6 Dec"]
    assert labels(timedelta(hours=2), 340) == ["14:30", "15:00", "15:30"]
    assert labels(timedelta(days=800), 340)[0].endswith("2027")


@pytest.mark.parametrize("points", [[], [(FRIDAY, 0)], [(FRIDAY, 5)]])
def test_little_data_still_gives_axes(points: list[tuple[datetime, int]]) -> None:
    chart = draw_audience(points)
    assert len(chart.y_ticks) >= 2
    assert bool(chart.line) == bool(points)


@given(
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**7)), min_size=1, max_size=50),
    st.sampled_from([(900, 300), (340, 260)]),
)
def test_everything_stays_inside_the_frame(
    data: list[tuple[int, int]], size: tuple[int, int]
) -> None:
    points = [(FRIDAY + timedelta(seconds=s), count) for s, count in sorted(data)]
    chart = draw_audience(points, width=size[0], height=size[1])
    xs = [float(x) for x in re.findall(r"[MH]([\d.]+)", chart.line)]
    ys = [float(y) for y in re.findall(r"V([\d.]+)", chart.line)]
    assert all(chart.left <= x <= chart.right for x in xs)
    assert all(chart.top - 0.1 <= y <= chart.bottom for y in ys)
    assert all(chart.left <= tick.position <= chart.right for tick in chart.x_ticks)


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 10**7), max_size=9))
def test_bar_pieces_fill_the_bar_in_order_and_none_vanishes(counts: dict[str, int]) -> None:
    pieces = stack_bar(counts)
    assert [piece.key for piece in pieces] == [key for key, count in counts.items() if count]
    assert all(piece.width >= 0.79 for piece in pieces)
    if pieces:
        assert pieces[-1].x + pieces[-1].width == pytest.approx(100, abs=0.01)
    for left, right in itertools.pairwise(pieces):
        assert right.x == pytest.approx(left.x + left.width, abs=0.01)
