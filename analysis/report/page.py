"""The page of a study's report: what its template is given."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from analysis.figures.anchor import target_text
from analysis.figures.search.budget import random_trials, told_points
from analysis.frame import Study
from analysis.report.answer import DENSITY, answer, has_anchor, scale_line
from analysis.report.formats import FILTERS
from analysis.report.importance_tables import (
    lead_text,
    noise_rows,
    opinion_rows,
    optuna_rows,
    width_rows,
)
from analysis.report.page_tables import by_density, comparison, gains
from analysis.report.runs import later_runs, numerics
from analysis.report.verdict_section import VerdictSection
from analysis.tables.same_setting import proxy_table
from analysis.tables.trials import best_table, problem_table, search_table, settings


def page(
    study: Study,
    figures: dict[str, dict[str, Any]],
    tables: dict[str, pd.DataFrame],
    section: VerdictSection | None,
    fixed: dict[str, str],
    notes: list[str],
) -> str:
    """Returns the page.

    Args:
        study: what is reported.
        figures: name -> ``title`` and ``svg``.
        tables: name -> table, as they are written beside the figures.
        section: the verdicts, None without any.
        fixed: of ``lock_facts``.
        notes: why the design has no importances or ends early, and what is to say of divergence;
            empty where there is nothing to say.
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    script = (Path(__file__).parent / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    info = study.info
    best, searched = best_table(study, DENSITY), search_table(study)
    return environment.get_template("report.html.jinja").render(
        info=info,
        name=info.get("name", study.folder.name),
        incomplete=study.incomplete,
        scale=scale_line(study),
        answer=answer(study),
        verdicts=section,
        fixed=fixed,
        proxies=proxy_table(study).to_dict("records"),
        figures=figures,
        sweeps=[name for name in figures if name.startswith("sweep-")],
        anchored=has_anchor(study),
        target=target_text(study),
        differences=comparison(tables["differences"]),
        on_target=comparison(tables["differences_target"]),
        gains=gains(tables["sweep_gain"]),
        design=bool((study.records["phase"] == "design").any()),
        design_notes=[note for note in notes if note],
        opinions=opinion_rows(tables["opinions"]),
        leads=lead_text(tables["ranks"], tables["changes"]),
        noise=noise_rows(tables["noise"], DENSITY),
        widths=width_rows(tables["widths"]),
        diverges=tables["diverges"].to_dict("records"),
        given_ok=tables["given_ok"].to_dict("records"),
        optuna=optuna_rows(study),
        best=best.to_dict("records"),
        space=info.get("space", {}),
        objective=info.get("objective", {}),
        front=tables["front"].to_dict("records"),
        confirmed=tables["confirmed"].to_dict("records"),
        compared=info.get("compared"),
        at_edge=_at_edge(tables["fair_choices"]),
        fair_values=by_density(tables["fair_values"], ["measure", "value"]),
        fair_pairs=by_density(tables["fair_pairs"], ["measure", "first", "second"]),
        searched=int((searched["phase"] == "search").sum()),
        stopped=int((searched["state"] == "stopped").sum()),
        random_source=random_trials(study)[1],
        told=told_points(study),
        problems=problem_table(study).to_dict("records"),
        trials=tables["trials"].to_dict("records"),
        density=DENSITY,
        settings=_plain(settings(study)),
        config=_plain(info.get("config", {})),
        provenance=_provenance(info),
        runs=later_runs(study),
        numerics=numerics(study),
        script=Markup(script),
        script_digest=digest,
    )


def _at_edge(choices: pd.DataFrame) -> list[dict[Any, Any]]:
    return choices[choices["at_edge"].astype(bool)].to_dict("records")


def _provenance(info: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    groups = {"Code": "code", "Dataset": "dataset", "Machine": "machine", "Packages": "packages"}
    return {title: _plain(info.get(key) or {}) for title, key in groups.items()}


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns values as text, nested ones as JSON."""
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
    }
