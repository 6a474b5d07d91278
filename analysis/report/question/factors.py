"""The answer to a question about hyperparameters: shares of variance, at which density, how sure.

Shares are Sobol' indices ST of the test accuracy of tickets over the study's design.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.frame import StudyFrame
from analysis.importance.saved import Importances
from analysis.report.answer import swept_sentences
from analysis.report.formats import share
from analysis.report.question.asked import asked_paths, asks_for_all, varied_paths
from analysis.report.question.missing import deeper, lacking_design, more_points
from analysis.report.rows.importance import lead_text
from analysis.report.section import Subject
from analysis.tables.objective import answer_density
from analysis.tables.sweeps import BASE_VALUE, sweep_networks
from lttune.config.design import INERT
from lttune.records.interpolation import SAME, logs_away, nearest_place


def factor_sentences(subject: Subject) -> list[str]:
    """Returns which of the hyperparameters that the question asks for decide.

    Where that is not known it says what is missing and which command would tell. Nothing where the
    question asks for none; of a fair comparison other sentences speak.
    """
    study = subject.study
    named, is_of_all = asked_paths(study), asks_for_all(study)
    if study.info.get("compared") or not (named or is_of_all):
        return []
    swept = _swept(subject, named)
    here = _estimates(subject.design, answer_density(study))
    if here is None:
        if is_of_all:
            return [*swept, *lacking_design(study, subject.note, ())]
        unvaried = [path for path in named if path not in varied_paths(study)]
        first = [f"No trial varies {path}." for path in unvaried]
        return [*first, *swept, *lacking_design(study, subject.note, named)]
    assert subject.design is not None
    nearer = _unknown_nearer(study, subject.design, here["density"].iloc[0])
    if not named:
        ranks, changes = subject.design.ranks, subject.design.changes
        # Of one density all is said.
        lead = lead_text(ranks, changes)[:1] if len(ranks) > 1 else []
        return [_decided(here), *nearer, *lead]
    if is_of_all:
        return [_decided(here), *nearer, *swept]
    told = [_share(here, path) for path in named if path in set(here["factor"])]
    lacking = [path for path in named if path not in set(here["factor"])]
    return [*told, *nearer, *swept, *(f"The design does not vary {path}." for path in lacking)]


def _estimates(design: Importances | None, density: float) -> pd.DataFrame | None:
    """Returns the shares at the density nearest to one that has any, the largest first."""
    if design is None or design.table.empty:
        return None
    known = design.strip[design.strip["status"] == "ok"]
    at = known.iloc[nearest_place(known["density"], density)]
    table = design.table[design.table["density"] == at["density"]]
    table = table[table["factor"] != INERT].sort_values("total", ascending=False, kind="stable")
    return table.assign(trajectories=at["trajectories"]).reset_index(drop=True)


def _unknown_nearer(study: StudyFrame, design: Importances, at: float) -> list[str]:
    """Returns why shares are not known at a density nearer to the study's, and what would tell.

    They are estimated there and none are found, or the curves end above it.
    """
    asked = answer_density(study)
    poor = design.strip[design.strip["status"] != "ok"]
    lowest = design.strip["density"].min()
    reasons = dict(zip(poor["density"], poor["reason"], strict=True))
    if design.ended:
        cut = design.missing["density"]
        reasons |= dict.fromkeys(cut[cut < lowest * (1 - SAME)], design.ended)
    places = [place for place in reasons if logs_away([at, place], asked).argmin() == 1]
    if not places:
        return []
    place = places[nearest_place(places, asked)]
    where = f"{100 * place:.1f} %"
    if f"{place:.3f}" != f"{asked:.3f}":
        where += f", nearer to the {100 * asked:.1f} %"
    would_tell = more_points(study) if place >= lowest else deeper(study, place)
    return [
        f"At {where} that the study is about, the shares are not known ({reasons[place]}).",
        would_tell,
    ]


def _decided(here: pd.DataFrame) -> str:
    """Returns which factors have a share that is none of chance, and which do not."""
    sure = here["detected"].astype(bool)
    rows = here[sure].to_dict("records")
    where = _where(here.iloc[0].to_dict())
    others = ", ".join(here.loc[~sure, "factor"])
    rest = f" No more than chance gives is seen of {others}." if others else ""
    if not rows:
        return f"At {where}, no hyperparameter is shown to decide.{rest}"
    listed = "; ".join(f"{row['factor']} {_interval(row)}" for row in rows)
    return (
        f"At {where}, these decide the {_whose(rows[0])} test accuracy, by their shares of its "
        f"variance with all interactions (ST, 95 % intervals): {listed}.{rest}"
    )


def _share(here: pd.DataFrame, path: str) -> str:
    """Returns what one factor decides, beside the first."""
    place = int(here.index[here["factor"] == path][0])
    row, first = here.iloc[place].to_dict(), here.iloc[0].to_dict()
    verdict = (
        f"it is shown to decide, as number {place + 1} of {len(here)} factors"
        if row["detected"]
        else "no more than chance gives, so it is not shown to decide"
    )
    beside = "" if place == 0 else f" Most is {first['factor']} with {_interval(first)}."
    return (
        f"At {_where(row)}, {path} has a share of {_interval(row)} of the variance of the "
        f"{_whose(row)} test accuracy with all interactions (ST, 95 % interval): {verdict}.{beside}"
    )


def _whose(row: dict[Any, Any]) -> str:
    return "dense networks'" if row["density"] == 1 else "tickets'"


def _where(row: dict[Any, Any]) -> str:
    return (
        f"{100 * row['density']:.1f} % of the weights, over a design of "
        f"{row['trajectories']:.0f} trajectories"
    )


def _interval(row: dict[Any, Any]) -> str:
    return " ".join(share((row["total"], row["total_low"], row["total_high"]))).strip()


def _swept(subject: Subject, paths: Sequence[str]) -> list[str]:
    """Returns what the sweeps that vary hyperparameters say, in the order of these."""
    if not paths:
        return []
    study = subject.study
    networks = sweep_networks(study)
    networks = networks[networks["value"] != BASE_VALUE]
    own = study.trials.set_index("number")["hparams"]
    varied = {
        factor: {path for number in set(mine["trial"]) for path in own[number] or {}}
        for factor, mine in networks.groupby("factor", sort=False)
    }
    told = swept_sentences(study)
    return [
        text for path in paths for factor, text in told.items() if path in varied.get(factor, ())
    ]
