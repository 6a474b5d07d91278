"""What a budget of trials buys: the search beside trials that were drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures import canvas, lines, palette
from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame, in_phases
from analysis.statistics.best_of_k import best_of_k, expected_best
from analysis.tables.objective import directions, is_minimized, objective_name
from analysis.tables.sweeps import point_name
from analysis.tables.trials import settings
from lttune.config import DEPTH
from lttune.config.design import SPREAD
from lttune.config.fields import is_number
from lttune.config.lottery.length import joined_settings
from lttune.config.phase import PHASES, Phase

BUDGET_COLUMNS = ["curve", "k", "value", "low", "high", "n"]
"""Columns of ``budget_table``."""

AS_IT_WENT, EXPECTED = "search", "random"
"""The curves: the search's own, and what trials drawn at random lead to expect."""

FEWEST_DRAWN = 2
"""Random trials from which there is a curve."""


def budget_table(study: StudyFrame) -> pd.DataFrame:
    """Returns the best objective after k trials: the search's own, and expected at random.

    Curve "search" is the best so far in the order of trial numbers, one realisation without an
    interval. A trial that was stopped is one of the k, but has no objective to be best with.
    Curve "random" is the unbiased expectation over subsets of ``random_trials``, with its 95 %
    bootstrap interval for k up to half of them; beyond, the expectation rests on the few best.
    ``n`` counts the trials that have an objective. Empty without random trials, and for an
    objective of several values, which has no best one.
    """
    drawn, source = random_trials(study)
    if len(drawn) < FEWEST_DRAWN or len(directions(study)) > 1:
        return pd.DataFrame(columns=pd.Index(BUDGET_COLUMNS))
    sign = -1.0 if is_minimized(study) else 1.0
    curve = best_of_k(sign * drawn, rng=np.random.default_rng(0))
    beyond = range(len(curve.k) + 1, len(drawn) + 1)
    rest = [expected_best(sign * drawn, k) for k in beyond]
    ends = [sign * curve.low, sign * curve.high]
    unknown = np.full(len(rest), np.nan)
    random = {
        "curve": EXPECTED,
        "k": np.arange(1, len(drawn) + 1),
        "value": sign * np.append(curve.expected, rest),
        "low": np.append(np.minimum(*ends), unknown),
        "high": np.append(np.maximum(*ends), unknown),
        "n": len(drawn),
    }
    tables = [pd.DataFrame(random)]
    if not source.is_proposed:
        tables.append(_search(study, sign))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)[BUDGET_COLUMNS]


def random_trials(study: StudyFrame) -> tuple[np.ndarray, Phase]:
    """Returns the objectives of the trials drawn at random, and the phase that they are of.

    The control of the search if it was run, else the points of a space-filling design, each once,
    else the search itself if its sampler was random.
    """
    trials = study.trials
    done = trials[(trials["state"] == "complete") & trials["objective"].notna()]
    phases = list(PHASES.values())
    sources = [phase for phase in phases if phase.is_drawn]
    sources += [phase for phase in phases if phase.is_design]
    sources += [phase for phase in phases if phase.is_proposed and _samples_at_random(study)]
    found: dict[str, pd.DataFrame] = {}
    for phase in sources:
        mine = done[done["phase"] == phase.name]
        if phase.is_design:
            # A point counts once, with its first replicate: more of one are no more draws.
            mine = mine[mine["role"].isin(SPREAD)]
            mine = mine[~mine["label"].astype(str).map(point_name).duplicated()]
        found[phase.name] = mine
    source = next((phase for phase in sources if len(found[phase.name])), sources[0])
    return found[source.name]["objective"].to_numpy(float), source


def _samples_at_random(study: StudyFrame) -> bool:
    return (study.info.get("config") or {}).get("sampler") == "random"


def told_points(study: StudyFrame) -> int:
    """Returns how many trained points of its space a search may have been told before its first.

    Those of the other phases that a search learns from, replicates of a point counted once. A
    random sampler learns nothing.
    """
    space, base = study.info.get("space") or {}, settings(study)
    if not space or _samples_at_random(study):
        return 0
    learned = in_phases(study.trials, lambda phase: phase.is_learned_from)
    done = study.trials[(study.trials["state"] == "complete") & learned]
    found: set[tuple[str, ...]] = set()
    for hparams in done["hparams"]:
        values = joined_settings(base, hparams or {})
        alone = (hparams or {}).keys() <= {*space, *DEPTH}
        if alone and all(_is_in(values.get(name), space[name]) for name in space):
            found.add(tuple(str(values[name]) for name in space))
    return len(found)


def _is_in(value: object, declared: Mapping[str, Any]) -> bool:
    if "choices" in declared:
        return value in declared["choices"]
    return is_number(value) and declared["low"] <= float(str(value)) <= declared["high"]


def _search(study: StudyFrame, sign: float) -> pd.DataFrame:
    trials = study.trials[in_phases(study.trials, lambda phase: phase.is_proposed)]
    trials = trials.sort_values("number")
    complete = (trials["state"] == "complete") & trials["objective"].notna()
    begun = trials[complete | (trials["state"] == "stopped")]
    own = sign * begun["objective"].where(complete).to_numpy(float)
    best = sign * np.fmax.accumulate(own) if len(own) else own
    k = np.arange(1, len(own) + 1)
    return pd.DataFrame({"curve": AS_IT_WENT, "k": k, "value": best, "n": int(complete.sum())})


def best_of_k_figure(study: StudyFrame, subtitle: str) -> Drawing | None:
    """Returns best objective against the number of trials; None without a random control."""
    table = budget_table(study)
    if table.empty:
        return None
    name = objective_name(study)
    title = f"Best {name} of k trials"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 4.6)
        ax = figure.subplots()
        random, search = (table[table["curve"] == curve] for curve in (EXPECTED, AS_IT_WENT))
        _draw_random(ax, random, random_trials(study)[1])
        if len(search):
            label = f"search, as it went (n = {search['n'].iloc[0]})"
            style = {"color": palette.BLUE, "marker": "o", "markersize": 4, "linewidth": 2.0}
            ax.step(search["k"], search["value"], where="post", label=label, **style)
        ax.set_xlabel("Trials")
        ax.set_ylabel(name)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.legend_below(figure, columns=2)
    return Drawing(name="best_of_k", title=title, figure=figure, table=table)


def _draw_random(ax: Axes, random: pd.DataFrame, source: Phase) -> None:
    lines.draw_band(ax, random["k"], random["low"], random["high"], palette.GREY, 0.2)
    drawn = f"random {source.title}" if source.is_proposed else source.title
    label = f"{drawn}, expected (n = {random['n'].iloc[0]})"
    known = random["low"].notna()
    style = {"color": palette.DARK, "linewidth": 2.0}
    ax.plot(random["k"][known], random["value"][known], label=label, linestyle="--", **style)
    # From the last point with an interval on, so that the curve does not break there.
    far = ~known | (random["k"] == known.sum())
    ax.plot(random["k"][far], random["value"][far], linestyle=":", **{**style, "linewidth": 1.3})
