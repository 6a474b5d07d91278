"""The page of a study's report: its sections, and what stands before and after them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.figures.canvas import Drawing
from analysis.report.answer import answer_density, scale_line
from analysis.report.formats import FILTERS, as_texts
from analysis.report.runs import later_runs, numerics, provenance
from analysis.report.section import Section, Subject, said
from analysis.tables.same_setting import proxy_table
from analysis.tables.trials import is_searched, settings

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What there is to show of a section."""

    section: Section
    """The row of the table."""
    figures: Sequence[tuple[Drawing, str]]
    """Each drawing with its SVG."""
    rows: Mapping[str, Any]
    """The variables of the section's template."""


def page(subject: Subject, shown: Sequence[Shown], sentences: Sequence[str]) -> str:
    """Returns the page; sections with neither figure nor rows are left out.

    ``sentences`` are what the box at its top says, of ``finding``.
    """
    environment = _templates()
    facts = _facts(subject)
    script = (TEMPLATES / "table.js").read_text(encoding="utf-8")
    shown = [one for one in shown if (one.figures or one.rows) and one.section.stands(subject)]
    return environment.get_template("report.html.jinja").render(
        **facts,
        answer=sentences,
        sections=_bodies(environment, subject, shown, facts),
        sortable=any(one.section.name == "trials" for one in shown),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _templates() -> jinja2.Environment:
    """Returns the templates, each compiled once for all reports."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def _bodies(
    environment: jinja2.Environment,
    subject: Subject,
    shown: Sequence[Shown],
    facts: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Returns heading and body of each section; one that goes on under a heading has none."""
    found: list[dict[str, Any]] = []
    last = ""
    for one in shown:
        names = (f"sections/{one.section.name}.html.jinja", "plain.html.jinja")
        caption = said(one.section.caption, subject)
        figures = [
            {
                "name": drawing.name,
                "caption": caption.replace("{title}", drawing.title),
                "svg": Markup(svg),
            }
            for drawing, svg in one.figures
        ]
        body = environment.select_template(names).render(**facts, **one.rows, figures=figures)
        heading = said(one.section.heading, subject)
        found.append({"heading": "" if heading == last else heading, "body": Markup(body)})
        last = heading
    return found


def _facts(subject: Subject) -> dict[str, Any]:
    """Returns what every template may show of the study."""
    study, info = subject.study, subject.study.info
    return {
        "info": info,
        "name": info.get("name", study.folder.name),
        "incomplete": study.incomplete,
        "scale": scale_line(study),
        "searched": is_searched(study),
        "density": answer_density(study),
        "space": info.get("space", {}),
        "objective": info.get("objective", {}),
        "fixed": subject.fixed,
        "proxies": proxy_table(study).to_dict("records"),
        "settings": as_texts(settings(study)),
        "config": as_texts(info.get("config", {})),
        "provenance": provenance(study),
        "runs": later_runs(study),
        "numerics": numerics(study),
    }
