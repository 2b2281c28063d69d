"""Charts of reports, as SVG or PNG. matplotlib is the extra `charts`, and only drawing imports it.

The same report gives the same bytes with the same release of the library: no date, no random ids.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Any, Final, Literal

from flamewire_ledger.exports.format import FormatUnavailable
from flamewire_ledger.exports.report import BUCKETS

Picture = Literal["svg", "png"]
_INK: Final = "#1a1a20"
_GREY: Final = "#6e6e7a"
_COLOURS: Final = ("#c94f19", "#2b5f8a", "#4d8a57", "#8a5a9e", "#b08a2e", "#5c6570")
_PLACES_MAX: Final = 60  # on the x axis: the last ones
_PLACES_MIN: Final = 4  # so that a bar is a bar, where there is one month
_NAMES_MAX: Final = 6  # as many as there are colours; the smaller ones are drawn as one
_NAME_CHARACTERS_MAX: Final = 28
_WIDTH_POINTS: Final = 590  # of the axes, about
_CHARACTER_POINTS: Final = 4.6  # of what is written above a bar, about
_WIDE: Final = 100  # times the least: then small bars are seen on a scale of powers alone
_COUNTED: Final = ("funnel", "exceptions")
_one_at_a_time: Final = threading.Lock()  # settings of matplotlib are those of the whole process
# What stands on the axes: column of the x axis, columns of the bars' names, columns of the bars.
_AXES: Final[Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]]] = {
    "revenue": ("month", ("earned_with",), ("value",)),
    "volumes": ("month", ("asset",), ("value",)),
    "funnel": ("month", (), ("created", "paid", "expired")),
    "finality": ("network", (), ("p50_seconds", "p90_seconds", "p99_seconds")),
    "breakage": ("month", (), ("credits",)),
    "mrr": ("month", ("currency",), ("mrr",)),
    "exceptions": ("bucket", ("kind",), ()),
}
assert len(_COLOURS) == _NAMES_MAX


def drawn(report: Mapping[str, Any], picture: Picture) -> bytes:
    """Raises FormatUnavailable without matplotlib."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise FormatUnavailable(
            "charts need matplotlib: install flamewire-ledger[charts]"
        ) from None
    places, bars = _bars(report)
    settings: Any = {
        "svg.hashsalt": "flamewire",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",
        "text.parse_math": False,
    }
    with _one_at_a_time, mpl.rc_context(settings):
        figure = Figure(figsize=(9, 4.5), layout=ConstrainedLayoutEngine(w_pad=0.2, h_pad=0.2))
        canvas = FigureCanvasSVG(figure) if picture == "svg" else FigureCanvasAgg(figure)
        _draw(figure.subplots(), report, places, bars)
        if len(bars) > 1:
            figure.legend(frameon=False, fontsize=8, ncols=3, loc="outside lower center")
        file = io.BytesIO()
        metadata = {"Date": None} if picture == "svg" else {"Software": None}
        canvas.print_figure(file, format=picture, metadata=metadata, dpi=120)
    return file.getvalue()


def _bars(report: Mapping[str, Any]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """The places on the x axis, and the height of each named bar at each place."""
    axis, names, values = _AXES[report["report"]]
    places: dict[str, None] = dict.fromkeys(BUCKETS) if report["report"] == "exceptions" else {}
    bars: dict[str, dict[str, float]] = {}
    for row in report["rows"]:
        place = str(row[axis])
        places[place] = None
        for value in values or ("",):
            name = _name(row, names, value)
            height = float(row[value] or 0) if value else 1.0
            at = bars.setdefault(name, {})
            at[place] = at.get(place, 0.0) + height
    return list(places)[-_PLACES_MAX:], _fewer(bars)


def _name(row: Mapping[str, Any], names: tuple[str, ...], value: str) -> str:
    name = " ".join(str(row[each]) for each in names) or value.removesuffix("_seconds")
    return _short(name.replace("_", " "))


def _unpriced(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Bar and place where something is that no recorded price gives a value: it is not nothing."""
    axis, names, _ = _AXES[report["report"]]
    return {
        (_name(row, names, ""), str(row[axis]))
        for row in report["rows"]
        if row.get("unvalued_postings") and not float(row["value"])
    }


def _short(name: str) -> str:
    """Long ones keep their beginning and their end: a network, and a symbol."""
    if len(name) <= _NAME_CHARACTERS_MAX:
        return name
    half = (_NAME_CHARACTERS_MAX - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def _fewer(bars: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The largest, in their order, and all others as one."""
    if len(bars) <= _NAMES_MAX:
        return bars
    by_size = sorted(bars, key=lambda name: -sum(map(abs, bars[name].values())))
    kept = set(by_size[: _NAMES_MAX - 1])
    others: dict[str, float] = {}
    for name, heights in bars.items():
        if name not in kept:
            for place, height in heights.items():
                others[place] = others.get(place, 0.0) + height
    return {**{name: it for name, it in bars.items() if name in kept}, "others": others}


def _draw(
    axes: Any, report: Mapping[str, Any], places: list[str], bars: dict[str, dict[str, float]]
) -> None:
    axes.set_title(_title(report), loc="left", color=_INK, fontsize=12, fontweight="bold", pad=14)
    axes.text(
        1, 1.04, f"as of position {report['as_of']}", transform=axes.transAxes, ha="right",
        color=_GREY, fontsize=8,
    )  # fmt: skip
    if not bars:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "nothing yet", transform=axes.transAxes, ha="center", color=_GREY)
        return
    _bars_of(axes, report, places, bars)
    axes.set_xticks(range(len(places)), places, rotation=45 if len(places) > 8 else 0)
    middle, half = (len(places) - 1) / 2, max(len(places), _PLACES_MIN) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)
    if report["report"] == "finality" and _is_wide(bars):
        axes.set_yscale("symlog", linthresh=1)
        axes.set_ylim(0, 3 * _span(bars)[1])
    else:
        axes.set_ylim(*_span(bars))
        axes.locator_params(axis="y", integer=report["report"] in _COUNTED, nbins=6)
    axes.spines[:].set_visible(False)
    axes.axhline(0, color=_GREY, linewidth=0.8, clip_on=False)
    axes.tick_params(colors=_GREY, labelsize=9, length=0)
    axes.yaxis.set_major_formatter("{x:,.10g}")
    axes.grid(axis="y", color="#e6e6ec", linewidth=0.6)
    axes.set_axisbelow(True)


def _span(bars: Mapping[str, Mapping[str, float]]) -> tuple[float, float]:
    """From the lowest to the highest, with zero in it and room for what is written above and below."""
    heights = [height for at in bars.values() for height in at.values()]
    low, high = min(0.0, *heights), max(0.0, *heights)
    room = (high - low) * 0.13
    return (low - room if low < 0 else 0.0, high + room) if room else (0.0, 1.0)


def _is_wide(bars: Mapping[str, Mapping[str, float]]) -> bool:
    heights = [height for at in bars.values() for height in at.values() if height > 0]
    return bool(heights) and max(heights) > _WIDE * min(heights)


def _bars_of(
    axes: Any, report: Mapping[str, Any], places: list[str], bars: dict[str, dict[str, float]]
) -> None:
    """A group of bars at each place, with their values above them where there is room."""
    width = 0.8 / max(2, len(bars))
    texts = _texts(report, places, bars)
    for number, (name, heights) in enumerate(bars.items()):
        offset = (number - (len(bars) - 1) / 2) * width
        drawn_bars = axes.bar(
            [at + offset for at in range(len(places))],
            [heights.get(place, 0.0) for place in places],
            width * 0.92,
            label=name,
            color=_COLOURS[number],
        )
        axes.bar_label(drawn_bars, texts[name], padding=2, fontsize=7, color=_INK)


def _texts(
    report: Mapping[str, Any], places: list[str], bars: dict[str, dict[str, float]]
) -> dict[str, list[str]]:
    """What is written above each bar: in full, else in short, else nothing, as there is room."""
    is_money = report["report"] in ("revenue", "volumes", "mrr")
    unpriced = _unpriced(report)
    slots = max(len(places), _PLACES_MIN) * max(2, len(bars)) / 0.8
    room = _WIDTH_POINTS / slots / _CHARACTER_POINTS
    for write in (_money if is_money else _number, _in_short):
        texts = {
            name: [
                ""
                if place not in heights
                else "no price"
                if (name, place) in unpriced
                else write(heights[place])
                for place in places
            ]
            for name, heights in bars.items()
        }
        if max(len(text) for written in texts.values() for text in written) <= room:
            return texts
    return {name: [""] * len(places) for name in bars}


def _money(value: float) -> str:
    return f"{value:,.2f}"


def _number(value: float) -> str:
    return f"{value:,.10g}"


def _in_short(value: float) -> str:
    """Three digits, and which thousands they are."""
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{sign}"
    return f"{value:.3g}"


def _title(report: Mapping[str, Any]) -> str:
    units = {
        "revenue": f"Revenue, {report['currency']}",
        "volumes": f"Into the wallets, less what left them, {report['currency']}",
        "funnel": "Payments asked for, paid and expired",
        "finality": "Seconds until a transfer was final",
        "breakage": "Credits that lapsed",
        "mrr": f"Recurring revenue a month, {_currencies(report)}",
        "exceptions": "What waits for a person, by age",
    }
    return units[report["report"]]


def _currencies(report: Mapping[str, Any]) -> str:
    """Of plans: each says its own."""
    found = dict.fromkeys(str(row.get("currency")) for row in report["rows"])
    return ", ".join(found) or str(report["currency"])
