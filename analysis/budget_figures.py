"""What a budget of trials buys: the search beside trials that were drawn at random."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from analysis import canvas
from analysis.canvas import Drawing
from analysis.frame import Study
from analysis.statistics.best_of_k import best_of_k
from analysis.sweeps import point_name
from analysis.trials import is_minimized

BUDGET_COLUMNS = ["curve", "k", "value", "low", "high", "n"]
"""Columns of ``budget_table``."""


def budget_table(study: Study) -> pd.DataFrame:
    """Returns the best objective after k trials: the search's own, and expected at random.

    Curve "search" is the best so far in the order of trial numbers, one realisation without an
    interval. Curve "random" is the unbiased expectation over subsets of the random trials with its
    95 % bootstrap interval, for k up to half of them: the points of a space-filling design, each
    once, or the search's own trials if its sampler was random. Empty without random trials.
    """
    sign = -1.0 if is_minimized(study) else 1.0
    done = study.trials[study.trials["objective"].notna()]
    search = done[done["phase"] == "search"].sort_values("number")["objective"].astype(float)
    design = done[(done["phase"] == "design") & done["role"].isin(["design", "repeat"])]
    # A point counts once, with its first replicate: more of one are no more draws of the factors.
    drawn = design.assign(point=design["label"].astype(str).map(point_name))
    drawn = drawn.drop_duplicates("point")["objective"].astype(float)
    if (study.info.get("config") or {}).get("sampler") == "random" and drawn.empty:
        drawn, search = search, search.iloc[:0]
    random = best_of_k(sign * drawn.to_numpy(), rng=np.random.default_rng(0))
    if not len(random.k):
        return pd.DataFrame(columns=pd.Index(BUDGET_COLUMNS))
    ends = [sign * random.low, sign * random.high]
    curves = pd.DataFrame(
        {
            "curve": "random",
            "k": random.k,
            "value": sign * random.expected,
            "low": np.minimum(*ends),
            "high": np.maximum(*ends),
            "n": random.n,
        }
    )
    found = sign * np.maximum.accumulate(sign * search.to_numpy())
    best = pd.DataFrame(
        {"curve": "search", "k": np.arange(1, len(found) + 1), "value": found, "n": len(found)}
    )
    return pd.concat([curves, best], ignore_index=True)[BUDGET_COLUMNS] if len(best) else curves


def best_of_k_figure(study: Study, subtitle: str) -> Drawing | None:
    """Returns best objective against the number of trials; None without a random control."""
    table = budget_table(study)
    if table.empty:
        return None
    name = (study.info.get("objective") or {}).get("name", "objective")
    title = f"Best {name} of k trials"
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, study.incomplete, 4.6)
        ax = figure.subplots()
        random, search = (table[table["curve"] == curve] for curve in ("random", "search"))
        ax.fill_between(
            random["k"], random["low"], random["high"], color="#666666", alpha=0.2, linewidth=0
        )
        label = f"random trials, expected (n = {random['n'].iloc[0]})"
        style = {"color": "#444444", "linestyle": "--", "linewidth": 2.0}
        ax.plot(random["k"], random["value"], label=label, **style)
        if len(search):
            label = f"search, as it went (n = {search['n'].iloc[0]})"
            style = {"color": "#0072B2", "marker": "o", "markersize": 4, "linewidth": 2.0}
            ax.step(search["k"], search["value"], where="post", label=label, **style)
        ax.set_xlabel("Trials")
        ax.set_ylabel(name)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        canvas.legend_below(figure, columns=2)
    return Drawing(name="best_of_k", title=title, figure=figure, table=table)
