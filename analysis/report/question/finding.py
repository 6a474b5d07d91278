"""What the box at the top of the report says: first of the study's own question, then of the rest.

A run prints the same at its end, and keeps it in the study's folder as ``answer.txt``.
"""

from __future__ import annotations

from typing import Any

from analysis.frame import StudyFrame, in_phases
from analysis.report.answer import NO_BASE, answer, nearest_text, target_sentences
from analysis.report.formats import EQUAL, interval, signed
from analysis.report.question.asked import question_of
from analysis.report.question.factors import factor_sentences
from analysis.report.question.missing import lacking_confirmation
from analysis.report.section import Subject
from analysis.tables.fair_comparison import GAP, value_table
from analysis.tables.objective import answer_density, objective_name
from analysis.tables.trials import search_table
from lttune.records.interpolation import nearest_place
from lttune.records.objectives import objective_text

NEW_WEIGHTS = f"{GAP}reinit"
"""Measure of a value that is compared: its ticket's lead over new weights in the same mask."""


def finding(subject: Subject) -> list[str]:
    """Returns the answer as sentences; those to the study's own question stand first."""
    study = subject.study
    if study.records.empty:
        return answer(study)
    own = [
        *_judged(subject),
        *_compared(study),
        *factor_sentences(subject),
        *target_sentences(study),
        *_best(study),
    ]
    rest = [sentence for sentence in answer(study) if not (own and sentence.endswith(NO_BASE))]
    return list(dict.fromkeys([*own, *rest]))


def _judged(subject: Subject) -> list[str]:
    """Returns how many claims hold, of a question that asks for claims."""
    if "claim" not in question_of(subject.study):
        return []
    if subject.verdicts is None:
        return [
            "No claim could be tested: a verdict takes two replicates or more of its networks; "
            f"`lttune claims power {subject.study.folder}` says how many each needs."
        ]
    counts = {word: count for _, word, count in subject.verdicts.counts}
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    return [f"Of {sum(counts.values())} claims: {told}."]


def _compared(study: StudyFrame) -> list[str]:
    """Returns whether each value of a fair comparison has a winning ticket."""
    path = study.info.get("compared")
    if not path:
        return []
    table = value_table(study)
    pruned = table[table["density"] < 1]
    if pruned.empty:
        return lacking_confirmation(study, path)
    at = pruned["density"].iloc[nearest_place(pruned["density"], answer_density(study))]
    here = pruned[pruned["density"] == at]
    near = nearest_text(at, answer_density(study))
    text: list[str] = []
    for value, mine in here.groupby("value", sort=False):
        rows = {row["measure"]: row for row in mine.to_dict("records")}
        parts = [
            f"{signed(100 * row['mean'], 2)} {_ends(row)} over {other}"
            for name, other in (("gain", "its own dense network"), (NEW_WEIGHTS, "new weights"))
            if (row := rows.get(name)) and row["n"] > 1
        ]
        lows = [rows[name]["low"] for name in ("gain", NEW_WEIGHTS) if name in rows]
        wins = len(parts) == 2 and all(low > 0 for low in lows)
        word = "has winning tickets" if wins else "is not shown to have winning tickets"
        more = f" ({', '.join(parts)})" if parts else ""
        text.append(f"{value} {word}{more}")
    return [
        f"At {100 * at:.1f} % of the weights{near}, each {path} with the best of its own "
        f"hyperparameters on fresh replicates, in percentage points of test accuracy: "
        f"{'; '.join(text)}."
    ]


def _ends(row: dict[Any, Any]) -> str:
    """Returns the interval of a row in percentage points, or in how many replicates it is equal."""
    text = interval((row["low"], row["high"], row["n"]), "points")
    return f"in each of {row['n']} replicates" if text == EQUAL else text


def _best(study: StudyFrame) -> list[str]:
    """Returns what the search found, by its settings."""
    table = search_table(study)
    tried = int(in_phases(table, lambda phase: phase.is_proposed).sum())
    best = table[table["is_best"]]
    if best.empty:
        return []
    row = best.iloc[0]
    if len(best) > 1:
        return [
            f"The search's Pareto front has {len(best)} of {tried} trials; the most accurate "
            f"ticket is that of {row['settings']} (trial {row['trial']})."
        ]
    return [
        f"Best of {tried} trials of the search by {objective_name(study)}, on validation data and "
        f"partly by luck: {row['settings']} (trial {row['trial']}), "
        f"{objective_text(row['objective'])}."
    ]
