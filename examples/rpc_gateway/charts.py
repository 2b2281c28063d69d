"""The outcome as one picture: where the credits went, what was paid with, how payments ended."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("Agg")  # there may be no screen

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from outcome import Outcome, funnel

_DARK: Final = "#1f2933"
_BURNT, _LAPSED, _LEFT = "#e4572e", "#b8b8b8", "#2e86ab"


def draw(out: Path, outcome: Outcome) -> None:
    """charts.svg and charts.png."""
    figure, (burnt, revenue, payments) = plt.subplots(
        1, 3, figsize=(15, 4.2), width_ratios=(1.5, 1, 1), layout="constrained"
    )
    _credits(burnt, outcome)
    _revenue(revenue, outcome)
    _payments(payments, outcome)
    for axes in (burnt, revenue, payments):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_DARK)
    figure.savefig(out / "charts.svg")
    figure.savefig(out / "charts.png", dpi=110)
    plt.close(figure)


def _credits(axes: Axes, outcome: Outcome) -> None:
    """A bar a customer, the first on top; its length is all that was granted."""
    rows = outcome.customers[::-1]
    names = [f"{row.name} ({row.plan})" for row in rows]
    start = [0.0] * len(rows)
    for label, colour, amounts in (
        ("burnt", _BURNT, [row.burnt for row in rows]),
        ("lapsed", _LAPSED, [row.lapsed for row in rows]),
        ("left", _LEFT, [row.left for row in rows]),
    ):
        widths = [amount / 1_000_000 for amount in amounts]
        axes.barh(names, widths, left=start, color=colour, label=label)
        start = [at + width for at, width in zip(start, widths, strict=True)]
    axes.set_title("Where the credits went", loc="left", fontweight="bold")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False, loc="lower right")


def _revenue(axes: Axes, outcome: Outcome) -> None:
    bars = axes.bar(
        [it.asset for it in outcome.revenue], [float(it.usd) for it in outcome.revenue], color=_LEFT
    )
    axes.bar_label(bars, [f"{it.usd}" for it in outcome.revenue], padding=2)
    axes.set_title("Paid, in USD by asset", loc="left", fontweight="bold")
    axes.margins(y=0.12)


def _payments(axes: Axes, outcome: Outcome) -> None:
    steps = funnel(outcome)[::-1]
    bars = axes.barh([step for step, _ in steps], [count for _, count in steps], color=_BURNT)
    axes.bar_label(bars, padding=3)
    axes.set_title("Payments", loc="left", fontweight="bold")
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
