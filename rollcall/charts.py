"""Geometry of the charts: data goes in, scaled coordinates and labels come out.

Templates print what this module computed and compute nothing themselves; this module knows no
HTML and no colours. Lengths are in the units of each chart's own viewBox, y grows downward.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
        *(3_600, 7_200, 10_800, 21_600, 43_200),
        *(86_400 * days for days in (1, 2, 3, 4, 7, 14, 30, 61, 91, 182, 365)),
    )
)

# A label of the x axis takes about this much room; fewer ticks are drawn on a narrow chart.
_LABEL_ROOM = 64
_DATE_AND_TIME_ROOM = 92

# Labels of marked moments stand above the plot, in as many rows as keep them apart.
_LABEL_ROW = 38
_LABEL_GAP = 6
_CHARACTER_WIDTH = 7.5


@dataclass(frozen=True)
class Moment:
    """A moment to be marked on the time axis, with the level that held then."""

    at: datetime
    label: str
    level: int


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A marked moment in coordinates.

    `anchor` is the text-anchor that keeps the label inside the chart, `row` the row of labels
    above the plot, counted from 0 at the top, `text_y` the base line of the label's first line.
    """

    x: float
    y: float
    label: str
    level: int
    anchor: str
    text_x: float
    row: int
    text_y: float


@dataclass(frozen=True)
class AudienceChart:
    """A step line over time, ready to print into one SVG of `width` by `height`."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    line: str
    area: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class BarPiece:
    """One piece of a stacked bar."""

    key: str
    count: int
    x: float
    width: float


def nice_ticks(highest: float, wanted: int = 4) -> list[int]:
    """Give round whole numbers from 0 to at least `highest`, evenly spaced.

    Steps are 1, 2 or 5 times a power of ten and never below 1, since people are counted in
    whole numbers. There are at least two ticks, even for a `highest` of 0.
    """
    rough = max(highest, 1) / wanted
    magnitude = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough)
    return [int(step * i) for i in range(math.ceil(max(highest, 1) / step) + 1)]


def time_ticks(start: datetime, end: datetime, zone: str, wanted: int = 5) -> list[datetime]:
    """Give at most `wanted` + 1 round moments between `start` and `end`, as `zone` reads clocks.

    Whole days fall on local midnight, hours and minutes on round wall-clock times. The moments
    are aware and in `zone`.
    """
    local_zone = ZoneInfo(zone)
    rough = (end - start) / wanted
    step = next((step for step in _STEPS if step >= rough), None) or timedelta(
        days=math.ceil(rough.days / 365) * 365
    )
    # Wall-clock arithmetic on naive times keeps ticks on midnight when the clocks change.
    wall = start.astimezone(local_zone).replace(tzinfo=None)
    last = end.astimezone(local_zone).replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    tick = midnight + math.ceil((wall - midnight) / step) * step
    ticks = []
    while tick <= last:
        ticks.append(tick.replace(tzinfo=local_zone))
        tick += step
    return ticks


def draw_audience(
    points: Sequence[tuple[datetime, int]],
    moments: Sequence[Moment] = (),
    *,
    zone: str = "UTC",
    width: int = 900,
    height: int = 300,
) -> AudienceChart:
    """Give the picture of an audience over time as a step line with marked moments.

    `points` are (aware moment, cumulative people) in rising order of time; between two points
    the earlier count holds. `moments` such as "Planned" and "Sent" become vertical lines with
    their level. Without any point the line is empty and the axes still stand.
    """
    times = [at for at, _ in points] + [m.at for m in moments] or [datetime(1970, 1, 1, tzinfo=UTC)]
    start, end = min(times), max(times)
    if start == end:
        start, end = start - timedelta(hours=1), end + timedelta(hours=1)
    highest = max([count for _, count in points] + [m.level for m in moments], default=0)
    levels = nice_ticks(highest)
    left = 16 + _CHARACTER_WIDTH * len(f"{levels[-1]:,}")
    frame = _Frame(start, end, levels[-1], width, height, left)
    rows = _label_rows(moments, frame)
    frame = replace(frame, label_rows=max(rows, default=0) + 1)
    line, area = _step_path(points, frame)
    return AudienceChart(
        width=width,
        height=height,
        left=frame.left,
        right=frame.right,
        top=frame.top,
        bottom=frame.bottom,
        line=line,
        area=area,
        x_ticks=_label_times(frame, zone),
        y_ticks=tuple(Tick(frame.y(level), f"{level:,}") for level in levels),
        marks=tuple(_mark(moment, row, frame) for moment, row in zip(moments, rows, strict=True)),
    )


def draw_audience_pair(
    points: Sequence[tuple[datetime, int]], moments: Sequence[Moment] = (), *, zone: str = "UTC"
) -> tuple[AudienceChart, AudienceChart]:
    """Give the same picture for a wide and for a narrow screen, with text of the same size."""
    return (
        draw_audience(points, moments, zone=zone, width=900, height=300),
        draw_audience(points, moments, zone=zone, width=340, height=260),
    )


def stack_bar(
    counts: Mapping[str, int], *, width: float = 100, least: float = 0.8
) -> tuple[BarPiece, ...]:
    """Give the pieces of one bar, side by side and filling `width`, in the order of `counts`.

    Pieces of 0 are left out. A piece too small to be seen gets `least`, taken from the others
    in proportion, so that three blocked people among 50,000 still show.
    """
    present = {key: count for key, count in counts.items() if count > 0}
    total = sum(present.values())
    if not total:
        return ()
    floor = min(least, width / len(present))
    free = width - floor * len(present)
    pieces = []
    x = 0.0
    for key, count in present.items():
        piece = floor + free * count / total
        pieces.append(BarPiece(key, count, round(x, 3), round(piece, 3)))
        x += piece
    return tuple(pieces)


@dataclass(frozen=True)
class _Frame:
    """The plot area and its two scales."""

    start: datetime
    end: datetime
    highest: int
    width: int
    height: int
    left: float
    label_rows: int = 1

    @property
    def right(self) -> float:
        return self.width - 14

    @property
    def top(self) -> float:
        return 8 + _LABEL_ROW * self.label_rows

    @property
    def bottom(self) -> float:
        return self.height - 34

    def x(self, at: datetime) -> float:
        share = (at - self.start) / (self.end - self.start)
        return round(self.left + share * (self.right - self.left), 1)

    def y(self, count: float) -> float:
        return round(self.bottom - count / self.highest * (self.bottom - self.top), 1)


def _step_path(points: Sequence[tuple[datetime, int]], frame: _Frame) -> tuple[str, str]:
    if not points:
        return "", ""
    first_x = frame.x(points[0][0])
    parts = [f"M{first_x} {frame.y(points[0][1])}"]
    for at, count in points[1:]:
        parts.append(f"H{frame.x(at)}V{frame.y(count)}")
    # The last level holds to the end of the time shown, for instance to the moment of sending.
    line = "".join(parts) + f"H{frame.right}"
    return line, f"{line}V{frame.bottom}H{first_x}Z"


def _label_times(frame: _Frame, zone: str) -> tuple[Tick, ...]:
    span = frame.end - frame.start
    both = timedelta(days=1) < span <= timedelta(days=4)
    room = _DATE_AND_TIME_ROOM if both else _LABEL_ROOM
    wanted = max(2, int((frame.right - frame.left) / room))
    ticks = time_ticks(frame.start, frame.end, zone, wanted)
    shown = [Tick(frame.x(tick), _time_label(tick, span)) for tick in ticks]
    return tuple(tick for tick in shown if frame.left + 18 <= tick.position <= frame.right - 18)


def _time_label(tick: datetime, span: timedelta) -> str:
    if span > timedelta(days=400):
        return f"{tick:%b %Y}"
    if (tick.hour, tick.minute, tick.second) == (0, 0, 0):
        return f"{tick.day} {tick:%b}"
    if span < timedelta(minutes=10):
        return f"{tick:%H:%M:%S}"
    return f"{tick:%H:%M}" if span <= timedelta(days=1) else f"{tick.day} {tick:%b} {tick:%H:%M}"


def _anchor(moment: Moment, frame: _Frame) -> str:
    return "end" if frame.x(moment.at) > (frame.left + frame.right) / 2 else "start"


def _label_rows(moments: Sequence[Moment], frame: _Frame) -> list[int]:
    """Give each moment the first row in which its label touches no other."""
    taken: list[tuple[int, float, float]] = []
    rows = []
    for moment in moments:
        x = frame.x(moment.at)
        longest = max(len(moment.label), len(f"{moment.level:,} people"))
        width = _LABEL_GAP * 2 + _CHARACTER_WIDTH * longest
        low, high = (x - width, x) if _anchor(moment, frame) == "end" else (x, x + width)
        row = next(
            row
            for row in range(len(moments))
            if not any(row == r and low < end and start < high for r, start, end in taken)
        )
        taken.append((row, low, high))
        rows.append(row)
    return rows


def _mark(moment: Moment, row: int, frame: _Frame) -> Mark:
    x = frame.x(moment.at)
    anchor = _anchor(moment, frame)
    return Mark(
        x=x,
        y=frame.y(moment.level),
        label=moment.label,
        level=moment.level,
        anchor=anchor,
        text_x=round(x - _LABEL_GAP if anchor == "end" else x + _LABEL_GAP, 1),
        row=row,
        text_y=18 + row * _LABEL_ROW,
    )
