"""Importances, noise and widths as the page shows them, and the order of factors in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.report.formats import decimal, percent
from analysis.report.section import Subject, Tabled
from analysis.tables.design.current import outdated
from analysis.tables.objective import answer_density
from lttune.errors import StorageError
from lttune.records.interpolation import nearest_place
from lttune.store.files import reason_of

SURE = 0.975
"""Share of the draws from which a factor is said to matter most."""

OPTUNA = "optuna_importance.csv"
"""File in ``figures/`` that ``lttune importance`` writes: columns response, method,
question, n, factor, importance, rank and unknown."""
OPTUNA_NUMBERS = ("n", "importance", "rank")
"""Its columns of numbers."""


def by_factor(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns what the design says beside its indices; nothing without a design."""
    study, design = subject.study, subject.design
    if not in_phases(study.records, lambda phase: phase.is_design).any():
        return {}
    notes = [subject.note, design.divergence if design else ""]
    return {
        "leads": lead_text(tables["ranks"], tables["changes"]),
        "design_notes": [note for note in notes if note],
        "diverges": tables["diverges"].to_dict("records"),
        "given_ok": tables["given_ok"].to_dict("records"),
    }


def opinions(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``opinions``: of the process beside the forest's."""
    found = opinion_rows(tables["opinions"])
    return {"opinions": found} if found else {}


def others(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``optuna``: importances by other methods; ``optuna_why``: why they are not shown."""
    found = optuna_rows(subject.study)
    if isinstance(found, str):
        return {"optuna": [], "optuna_why": found}
    return {"optuna": found, "optuna_why": ""} if found else {}


def widths(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``widths``: how much of each factor's range is good."""
    found = width_rows(tables["widths"])
    return {"widths": found} if found else {}


def sources_of_noise(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``noise``: where it comes from, at the density of the answer."""
    found = noise_rows(tables["noise"], answer_density(subject.study))
    return {"noise": found} if found else {}


def opinion_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns a group for each density, with its facts and a row for each factor."""
    if table.empty:
        return []
    groups: list[dict[str, Any]] = []
    for _, mine in table.groupby("density", sort=False):
        facts = {str(name): value for name, value in mine.iloc[0].items()}
        groups.append({**facts, "rows": mine.to_dict("records")})
    return groups


def lead_text(ranks: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Returns which factor matters most from which density to which, and what changes where."""
    if ranks.empty:
        return []
    ranks = ranks.sort_values("density", ascending=False)
    run = (ranks["leader"] != ranks["leader"].shift()).cumsum()
    parts: list[str] = []
    for _, mine in ranks.groupby(run):
        ends = [percent(mine["density"].iloc[place], 1) for place in (0, -1)]
        where = f"from {ends[0]} to {ends[1]}" if len(mine) > 1 else f"at {ends[0]}"
        sure = int((mine["share"] >= SURE).sum())
        parts.append(
            f"{where} of the weights {mine['leader'].iloc[0]} has the highest ST (in "
            f"{percent(SURE, 1)} of the draws or more at {sure} of {len(mine)} densities)"
        )
    whole = "; ".join(parts)
    text = [f"{whole[0].upper()}{whole[1:]}."]
    lowest = ranks["tau_low"].min()
    text.append(
        f"Over the draws, Kendall’s tau with the estimated order of all factors is "
        f"{decimal(ranks['tau'].min())} or more on average, and {decimal(lowest)} or more in "
        "97.5 % of them."
    )
    found = changes.dropna(subset=["density"]).sort_values("density", ascending=False)
    if len(found):
        listed = ", ".join(
            f"{row['factor']} from {percent(row['density'], 1)}" for row in found.to_dict("records")
        )
        text.append(
            f"The ST of these differs from its value in the dense network, at all densities "
            f"together (95 %), {listed} on."
        )
    same = changes.loc[changes["density"].isna(), "factor"]
    if len(same):
        text.append(f"No change of ST is shown for {', '.join(same)}.")
    return text


def noise_rows(table: pd.DataFrame, density: float) -> list[dict[str, Any]]:
    """Returns a row for each source at the density nearest to the wanted one, of its own."""
    rows: list[dict[str, Any]] = []
    for source, mine in table.groupby("source", sort=False):
        at = mine["density"].iloc[nearest_place(mine["density"], density)]
        here = mine[mine["density"] == at]
        parts = {row["component"]: row for row in here.to_dict("records")}
        first = here.iloc[0]
        shared = {name: first[name] for name in ("density", "n", "kept_by_pairing", "unknown")}
        rows.append({"source": source, **shared, "parts": parts})
    return rows


def width_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns a group for each reading of "good", with a row for each factor, cells by density.

    Factors of which no width is known are left out.
    """
    groups: list[dict[str, Any]] = []
    for reading, mine in table.groupby("reading", sort=False):
        densities = sorted(mine["density"].unique(), reverse=True)
        rows = [
            {
                "factor": factor,
                "source": source,
                "unit": cells["unit"].iloc[0],
                "whole": cells["whole"].iloc[0],
                "cells": {row["density"]: row for row in cells.to_dict("records")},
            }
            for (source, factor), cells in mine.groupby(["source", "factor"], sort=False)
            if cells["width"].notna().any()
        ]
        groups.append({"reading": reading, "densities": densities, "rows": rows})
    return [group for group in groups if group["rows"]]


def optuna_rows(study: StudyFrame) -> list[dict[str, Any]] | str:
    """Returns a group for each method of ``OPTUNA``, rows are factors; empty without the file.

    A text says why it is not shown: the study has other records since.

    Raises:
        StorageError: if the file is not one that ``lttune importance`` wrote, or of another study.
    """
    path = study.folder / "figures" / OPTUNA
    if not path.exists():
        return []
    try:
        table = study.read_own(path, "importance")
        named = table["sample"].iloc[0] if "sample" in table else None
        if why := outdated(study, path.relative_to(study.folder), named, "importance"):
            return why
        table = table.assign(**{name: pd.to_numeric(table[name]) for name in OPTUNA_NUMBERS})
        if np.isinf(table[[*OPTUNA_NUMBERS]].to_numpy(float)).any():
            raise ValueError("its numbers must be finite")
        groups: list[dict[str, Any]] = []
        for method, mine in table.groupby("method", sort=False):
            responses = list(dict.fromkeys(mine["response"]))
            rows = [
                {"factor": factor, "cells": {c["response"]: c for c in cells.to_dict("records")}}
                for factor, cells in mine.groupby("factor", sort=False)
            ]
            facts = {"question": mine["question"].iloc[0], "n": int(mine["n"].max())}
            facts["unknown"] = _unknown(mine)
            groups.append({"method": method, **facts, "responses": responses, "rows": rows})
    except (ArithmeticError, OSError, TypeError, ValueError, KeyError) as error:
        text = f"{path} is no table of lttune importance: {reason_of(error)}"
        raise StorageError(text) from None
    return groups


def _unknown(mine: pd.DataFrame) -> list[str]:
    """Returns why a method says nothing of a response; an older file has no reasons."""
    if "unknown" not in mine:
        return []
    reasons = mine.dropna(subset=["unknown"]).groupby("response", sort=False)["unknown"].first()
    return [
        f"Not known of {response} ({reason})." for response, reason in reasons.items() if reason
    ]
