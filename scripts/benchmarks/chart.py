"""The picture of the figures: each on the side of its aim it has come to lie on.

Units differ too much for one axis, so a bar is how many times better than its aim a figure is, on a
logarithmic scale; the figure itself stands beside it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")  # no window is opened

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_MET, _MISSED, _INK, _FAINT = "#2f7d5b", "#c2532f", "#222222", "#b8b8b8"
_BETTER_MAX: Final = 20.0  # a start that is much faster than its aim would flatten all others
_BETTER_MIN: Final = 0.05
_NAME_CHARACTERS: Final = 52
# Bars of one benchmark with one aim; of more the nearest to it stands for all.
_ALIKE_MAX: Final = 8


def draw(figures: Sequence[dict[str, Any]], machine: str, path: Path) -> None:
    """An SVG of every figure that has an aim; of many alike, of that which is nearest to it."""
    aims = [aim for figure in _pictured(figures) for aim in _aims(figure)]
    with plt.rc_context(
        {"svg.hashsalt": "performance", "font.size": 9, "font.family": "DejaVu Sans"}
    ):
        chart, axes = plt.subplots(figsize=(11, 1.7 + 0.4 * max(1, len(aims))))
        _bars(axes, aims)
        chart.suptitle("Each figure against its aim", x=0.01, ha="left", fontsize=12)
        caption = "\n".join(textwrap.wrap(machine, 170))
        chart.text(0.01, 0.012, caption, fontsize=7, color="#666666", va="bottom")
        chart.tight_layout(rect=(0, 0.3 / chart.get_figheight(), 1, 1))
        chart.savefig(path, metadata={"Date": None})
        plt.close(chart)


def _pictured(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    def kind(figure: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(figure[it] for it in ("benchmark", "unit", "target", "ratio_target"))

    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for figure in figures:
        alike.setdefault(kind(figure), []).append(figure)
    found = []
    for many in alike.values():
        if len(many) <= _ALIKE_MAX or not _aims(many[0]):
            found += many
            continue
        nearest = min(many, key=lambda it: min(better for _, better, _ in _aims(it)))
        found.append({**nearest, "name": f"{nearest['name']}: the nearest of {len(many)}"})
    return found


def _aims(figure: dict[str, Any]) -> list[tuple[str, float, str]]:
    """A figure's aims: its name, how many times better than the aim it is, and both in words."""
    found = []
    less = figure["less_is_better"]
    reference = textwrap.shorten(figure["reference_name"].partition(", ")[0], 40)
    for value, aim, unit in (
        (figure["value"], figure["target"], figure["unit"]),
        (figure["ratio"], figure["ratio_target"], f"× {reference}"),
    ):
        if aim is None:
            continue
        better = (aim / value if value else _BETTER_MAX) if less else value / aim
        words = f"{_number(value)} {unit}   (aim {'≤' if less else '≥'} {_number(aim)})"
        found.append((figure["name"], min(_BETTER_MAX, max(_BETTER_MIN, better)), words))
    return found


def _bars(axes: Axes, aims: Sequence[tuple[str, float, str]]) -> None:
    places = range(len(aims))
    for place, (_, better, words) in zip(places, aims, strict=True):
        color = _MET if better >= 1 else _MISSED
        axes.plot([1, better], [place, place], color=color, linewidth=5, solid_capstyle="butt")
        # On the free side of the aim's line, so that words never lie on a bar.
        axes.annotate(
            words, (1, place), xytext=(-6 if better >= 1 else 6, 0), textcoords="offset points",
            ha="right" if better >= 1 else "left", va="center", fontsize=7.5, color=_INK,
        )  # fmt: skip
    axes.axvline(1, color=_INK, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(_BETTER_MIN, _BETTER_MAX)
    axes.set_ylim(len(aims) - 0.4, -0.6)
    axes.set_yticks(list(places), [textwrap.fill(name, _NAME_CHARACTERS) for name, *_ in aims])
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]
    axes.set_xticks(ticks, [f"{tick:g} ×" if tick != 1 else "aim" for tick in ticks])
    axes.minorticks_off()
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=8)
    axes.grid(axis="x", color=_FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
