"""Curves against density with simultaneous bands: the tables, and how one is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from analysis.figures import axes, palette
from analysis.statistics.bands import simultaneous_band

LINE = ["curve", "level", "density", "statistic", "replicate", "value", "low", "high", "n"]
LINE_COLUMNS = [*LINE, "diverged"]
"""Columns of ``line_table``."""

FEWEST = 3
"""Replicates from which a band is drawn: that of two is wider than any figure."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")


class Look(NamedTuple):
    """Colour, marker and dash of a curve: told apart without the colour too."""

    color: Any
    marker: str
    linestyle: Any = "-"
    linewidth: float = 1.9


def line_table(networks: pd.DataFrame, measure: str, by: str) -> pd.DataFrame:
    """Returns a measure against density: a row for each network, and for each mean over replicates.

    ``by`` names the column that tells curves apart; its values are ``curve``. A mean has its 95 %
    band, simultaneous over the densities of its curve, and counts in ``n`` the replicates behind it
    and in ``diverged`` those of them that diverged: they are kept, with their best evaluation.
    """
    rows: list[dict[str, Any]] = []
    for curve, mine in networks.groupby(by, sort=False):
        wide = mine.pivot(index="replicate", columns="level", values=measure)  # noqa: PD010
        band = simultaneous_band(wide.to_numpy(float), rng=np.random.default_rng(0))
        density = mine.groupby("level")["density"].mean()
        diverged = mine.groupby("level")["diverged"].sum()
        for place, level in enumerate(wide.columns):
            shared = {"curve": curve, "level": level, "density": density[level]}
            ends = {"low": band.low[place], "high": band.high[place], "n": int(band.n[place])}
            mean = {"statistic": "mean", "value": band.mean[place], **ends}
            rows.append({**shared, **mean, "diverged": int(diverged[level])})
        for one in mine.sort_values(["replicate", "level"]).to_dict("records"):
            shared = {"curve": curve, "level": one["level"], "density": one["density"]}
            single = {"statistic": "replicate", "replicate": one["replicate"], "n": 1}
            flag = {"diverged": int(one["diverged"])}
            rows.append({**shared, **single, "value": one[measure], **flag})
    table = pd.DataFrame(rows, columns=pd.Index(LINE_COLUMNS))
    return table.astype({"replicate": "Int64", "value": float, "low": float, "high": float})


def looks(curves: Sequence[str]) -> dict[str, Look]:
    """Returns a look for each of some curves without an order."""
    dashes = ("-", (0, (6, 2)), (0, (1.5, 1.5)))
    colours = palette.CURVES
    found: dict[str, Look] = {}
    for i, curve in enumerate(curves):
        dash = dashes[i // len(colours) % len(dashes)]
        found[curve] = Look(colours[i % len(colours)], MARKERS[i % len(MARKERS)], dash)
    return found


def ordered_looks(curves: Sequence[str]) -> dict[str, Look]:
    """Returns looks whose colours go from dark to light with the order of the curves."""
    shades = matplotlib.colormaps["viridis"](np.linspace(0.08, 0.85, max(len(curves), 2)))
    return {
        curve: Look(to_hex(shades[i]), MARKERS[i % len(MARKERS)]) for i, curve in enumerate(curves)
    }


def broken(curve: pd.DataFrame) -> pd.DataFrame:
    """Returns a curve by falling density, with an empty row where levels between were not trained.

    What is drawn of it has a gap there: controls may be trained at the levels around a few
    densities only, and a line over the others would be a guess.
    """
    curve = curve.sort_values("level", kind="stable")
    gap = curve["level"].astype(float).diff() > 1
    empty = pd.DataFrame(index=np.flatnonzero(gap) - 0.5, columns=curve.columns, dtype=float)
    whole = curve.reset_index(drop=True)
    numbers = whole.select_dtypes("number").astype(float)
    return pd.concat([numbers, empty[numbers.columns]]).sort_index()


def draw_lines(
    ax: Axes,
    table: pd.DataFrame,
    shown: Mapping[str, Look],
    *,
    factor: float = 1.0,
    names: Mapping[str, str] | None = None,
    banded: Sequence[str] = (),
) -> None:
    """Draws the curves of a line table: replicates thin, means thick, bands for those named.

    ``factor`` multiplies values, 100 for percent. × is a network that diverged.
    """
    values = table.assign(
        x=100 * table["density"].astype(float),
        **{name: factor * table[name].astype(float) for name in ("value", "low", "high")},
    )
    for curve, look in shown.items():
        mine = values[values["curve"] == curve]
        mean, networks = (mine[mine["statistic"] == kind] for kind in ("mean", "replicate"))
        if len(set(networks["replicate"])) > 1:
            for _, single in networks.groupby("replicate"):
                line = broken(single)
                ax.plot(line["x"], line["value"], color=look.color, linewidth=0.5, alpha=0.35)
        wide = broken(mean[mean["n"] >= FEWEST])
        if curve in banded:
            ends = (wide["x"], wide["low"], wide["high"])
            ax.fill_between(*ends, color=look.color, alpha=0.14, linewidth=0)
        bad = networks[networks["diverged"] > 0]
        ax.plot(bad["x"], bad["value"], "x", color=look.color, markersize=6)
        label = counted((names or {}).get(curve, str(curve)), mean)
        line = broken(mean)
        ax.plot(line["x"], line["value"], label=label, **look._asdict(), markersize=3.6, zorder=3)
    if len(values):
        axes.density_axis(ax, values["x"], most=5)


def counted(name: str, mean: pd.DataFrame) -> str:
    """Returns a curve's name with its number of replicates, and how many networks diverged."""
    counts = sorted(set(mean["n"]))
    n = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    bad = int(mean["diverged"].sum())
    return f"{name} (n = {n}{f', {bad} diverged ×' if bad else ''})"


def frame(ax: Axes, table: pd.DataFrame, factor: float = 1.0, *, cut: bool = True) -> int:
    """Sets the axis to the curves; returns how many points of means are cut off below it.

    Without ``cut`` none is, with it those far below all others, as after a divergence.
    """
    means = table.loc[table["statistic"] == "mean", "value"].astype(float).dropna()
    if means.empty:
        return 0
    whole = axes.whole_frame(table)
    bottom = axes.floor(means) if cut else None
    if bottom is None:
        # A best step of 0 is a value, steps below it are not.
        low = max(whole.low, -0.03 * whole.high) if (table["value"].min() >= 0) else whole.low
        ax.set_ylim(factor * low, factor * whole.high)
        return 0
    inside = table[table["value"].isna() | (table["value"] >= bottom)]
    part = axes.whole_frame(inside)
    ax.set_ylim(factor * max(bottom, part.low), factor * part.high)
    return int((means < bottom).sum())


def label_ends(ax: Axes, table: pd.DataFrame, shown: Mapping[str, Look], **kw: Any) -> None:
    """Writes each curve's name beside its last point, moved apart where they would touch.

    Call it when the axes have their limits. ``names`` and ``factor`` are as for ``draw_lines``.
    """
    factor, names = kw.get("factor", 1.0), kw.get("names") or {}
    means = table[table["statistic"] == "mean"].dropna(subset=["value"])
    last = means.sort_values("level").groupby("curve", sort=False).tail(1)
    found = dict(zip(last["curve"], last["value"], strict=True))
    low, high = ax.get_ylim()
    ends = sorted(
        (float(np.clip(factor * found[curve], low, high)), curve)
        for curve in shown
        if curve in found
    )
    gap = (high - low) * 0.062
    heights = np.array([height for height, _ in ends])
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    if len(heights) and heights[-1] > high:
        heights -= heights[-1] - high
        heights = np.maximum(heights, low + gap * np.arange(len(heights)))
    for height, (_, curve) in zip(heights, ends, strict=True):
        look = {"color": shown[curve].color, "fontsize": 8.5, "va": "center"}
        ax.annotate(
            names.get(curve, str(curve)),
            (1.01, height),
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
            parse_math=False,
            **look,
        )
