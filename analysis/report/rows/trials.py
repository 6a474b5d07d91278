"""Trials as the page shows them: the best, the confirmed, all, and those that went wrong."""

from __future__ import annotations

from typing import Any

from analysis.report.section import Subject, Tabled
from analysis.tables.objective import answer_density
from analysis.tables.trials import best_table, is_searched, problem_table, search_table


def searched(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``stopped``, how many trials of the search were; nothing without a search."""
    if not is_searched(subject.study):
        return {}
    return {"stopped": int((search_table(subject.study)["state"] == "stopped").sum())}


def on_front(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``front`` of two values, else ``best`` trials; nothing without a search."""
    if not is_searched(subject.study):
        return {}
    return {
        "front": tables["front"].to_dict("records"),
        "best": best_table(subject.study, answer_density(subject.study)).to_dict("records"),
        "confirmed": len(tables["confirmed"]) > 0,
    }


def confirmed_rows(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``confirmed`` configurations."""
    table = tables["confirmed"]
    return {"confirmed": table.to_dict("records")} if len(table) else {}


def everything(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns ``trials``, all there are."""
    table = tables["trials"]
    return {"trials": table.to_dict("records")} if len(table) else {}


def problems(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns a row for each trial that failed, was stopped or has networks that diverged."""
    rows = [
        {
            "Trial": f"{row['number']} {row['settings']}",
            "label": row["label"] or "–",
            "phase": row["phase"],
            "state": row["state"],
            "last level": row["level"],
            "diverged networks": row["diverged"],
            "error": row["error"] if isinstance(row["error"], str) else "–",
        }
        for row in problem_table(subject.study).to_dict("records")
    ]
    return {"rows": rows} if rows else {}
