"""What the page has to explore: where each trial lies on each axis, and importances, by density.

Plain values for ``templates/explore``, whose script draws them. Texts stay texts: the script sets
them as such, and the template escapes what would end its element.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from analysis.frame import StudyFrame
from analysis.report.formats import percent, points
from analysis.report.rows.positions import Positions, on_choices, on_numbers, positions
from analysis.report.rows.shares import shares_by_density
from analysis.report.section import Subject, Tabled
from analysis.tables.objective import answer_density, margin_of
from analysis.tables.responses import response_table
from lttune.config import DEPTH
from lttune.config.control import TRUNK
from lttune.config.fields import settings_text
from lttune.records.interpolation import nearest_place

MOST_FACTORS = 12
"""Axes of hyperparameters; of more those stand there that vary in most trials."""

INKS = [to_hex(ink) for ink in matplotlib.colormaps["viridis"](np.linspace(0.6, 0.05, 12))]
"""Colours of lines, from the least accurate trial to the most accurate one; what is lighter can
hardly be seen on white, nor its opposite on black."""


def explored(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``explore``, plain values of JSON, and what is said of them; nothing of no network.

    A value of a trial is the mean over those of its replicates that reached the density and whose
    networks are sound.
    """
    study = subject.study
    if study.records.empty:
        return {}
    responses = response_table(study.records, branch=TRUNK)
    trials = study.trials[study.trials["number"].isin(responses["trial"])]
    if trials.empty:
        return {}
    sound = responses[responses["ok"].astype(bool) & responses["accuracy"].notna()]
    densities = sorted({1.0, *sound["density"].astype(float)}, reverse=True)
    numbers = list(trials["number"])
    wide = {
        name: _wide(sound, name, how, numbers, densities)
        for name, how in (("accuracy", "mean"), ("gain", "mean"), ("n", "count"))
    }
    shown, left_out = _factors(study.hparams.loc[trials.index])
    lowest = _lowest(wide["gain"], margin_of(study), densities)
    drawn = [
        _moving("Test accuracy (%)", wide["accuracy"], 4),
        _moving("Gain over its own dense network (points)", wide["gain"], 2),
        _still(_within(margin_of(study)), on_numbers(_plain(100 * lowest))),
    ]
    if len(phases := list(trials["phase"])) > phases.count(phases[0]):
        drawn.append(_still("phase", on_choices(phases)))
    drawn += [_still(str(name), positions(list(shown[name]))) for name in shown]
    place = nearest_place(densities, answer_density(study))
    return {
        "explore": {
            "densities": [percent(density, 1) for density in densities],
            "start": place,
            "inks": INKS,
            "axes": [{name: one[name] for name in ("name", "ticks", "moves")} for one in drawn],
            "trials": _trials(study, trials, drawn, wide, lowest),
            "shares": shares_by_density(subject.design, densities) if subject.design else None,
        },
        "left_out": left_out,
        "last": len(densities) - 1,
        "place": place,
    }


def _wide(
    sound: pd.DataFrame, name: str, how: str, trials: Sequence[int], densities: Sequence[float]
) -> pd.DataFrame:
    """Returns a row for each trial and a column for each density."""
    column = "accuracy" if name == "n" else name
    cells = sound.assign(**{column: sound[column].astype(float)})
    found = cells.groupby(["trial", "density"])[column].agg(how).unstack()  # noqa: PD010
    return found.reindex(index=pd.Index(trials), columns=pd.Index(densities))


def _lowest(gain: pd.DataFrame, margin: float, densities: Sequence[float]) -> pd.Series:
    """Returns the lowest density at which each trial's ticket is within the margin of dense."""
    within = gain >= -margin - 1e-12
    return pd.DataFrame(np.where(within, np.asarray(densities), np.nan), index=gain.index).min(
        axis=1
    )


def _within(margin: float) -> str:
    return f"Lowest density within {100 * margin:.2g} points of dense (%)"


def _factors(hparams: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Returns the hyperparameters that vary, and how many of them found no place.

    How deep a trajectory goes changes none of its networks.
    """
    others = {name: _others(column) for name, column in hparams.items() if name not in DEPTH}
    varied = [name for name, count in others.items() if count]
    most = sorted(varied, key=lambda name: -others[name])[:MOST_FACTORS]
    return hparams[[name for name in varied if name in most]], len(varied) - len(most)


def _others(values: pd.Series) -> int:
    """Returns how many trials do not have the commonest value."""
    return len(values) - int(values.map(repr).value_counts().max())


def _plain(values: pd.Series) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values.astype(float)]


def _still(name: str, found: Positions) -> dict[str, Any]:
    """Returns an axis that is the same at every density."""
    return {"name": name, "at": found.at, "ticks": found.ticks, "moves": False}


def _moving(name: str, table: pd.DataFrame, digits: int) -> dict[str, Any]:
    """Returns an axis of each density's own range: without it all would lie in one place."""
    columns = [100 * table[density] for density in table]
    found = [on_numbers(_plain(one), digits=digits, is_cut=True) for one in columns]
    at = [list(places) for places in zip(*(one.at for one in found), strict=True)]
    return {"name": name, "at": at, "ticks": [one.ticks for one in found], "moves": True}


def _trials(
    study: StudyFrame,
    trials: pd.DataFrame,
    drawn: Sequence[dict[str, Any]],
    wide: dict[str, pd.DataFrame],
    lowest: pd.Series,
) -> list[dict[str, Any]]:
    diverged = study.records.groupby("trial")["diverged"].sum()
    return [
        {
            "number": int(row["number"]),
            "phase": str(row["phase"]),
            "settings": settings_text(row["hparams"] or {}),
            "diverged": int(diverged.get(row["number"], 0)),
            "at": [one["at"][place] for one in drawn],
            "accuracy": [percent(value) for value in wide["accuracy"].loc[row["number"]]],
            "gain": [points(value) for value in wide["gain"].loc[row["number"]]],
            "n": [int(value) if value == value else 0 for value in wide["n"].loc[row["number"]]],
            "lowest": percent(float(lowest[row["number"]]), 1),
        }
        for place, row in enumerate(trials.to_dict("records"))
    ]
