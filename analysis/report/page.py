"""The page of a study's report: its sections, and what stands before and after them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.figures.canvas import Drawing
from analysis.report.answer import scale_line
from analysis.report.formats import FILTERS, as_texts
from analysis.report.runs import later_runs, mlflow_place, numerics, own_measurements, provenance
from analysis.report.section import Section, Subject, said
from analysis.tables.objective import answer_density
from analysis.tables.same_setting import proxy_table
from analysis.tables.trials import is_searched, settings
from lttune.config.own import without_place

TEMPLATES = Path(__file__).parent / "templates"

SCRIPTS: dict[str, tuple[tuple[str, str], ...]] = {
    "explore": (
        ("bokeh", "server/static/js/bokeh.min.js"),
        ("bokeh", "server/static/js/bokeh-api.min.js"),
        ("analysis.report", "templates/explore/explore.js"),
    ),
    "trials": (("analysis.report", "templates/table.js"),),
}
"""Section -> package and path of each script that it takes. The plotting library's are read where
it is installed, and nothing of it is imported but its name."""


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
    shown = [one for one in shown if (one.figures or one.rows) and one.section.stands(subject)]
    return environment.get_template("report.html.jinja").render(
        **facts,
        answer=sentences,
        sections=_bodies(environment, subject, shown, facts),
        scripts=[script for one in shown for script in scripts_of(one.section.name)],
    )


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script that stands in the page."""

    text: Markup
    """What stands in its element, as it is."""
    digest: str
    """Its SHA-256 in base64, by which the page's policy lets it run."""


@cache
def scripts_of(section: str) -> list[Script]:
    """Returns the scripts of a section, in their order.

    Raises:
        ValueError: if one has what would end its element early.
    """
    found: list[Script] = []
    for package, path in SCRIPTS.get(section, ()):
        text = resources.files(package).joinpath(path).read_text(encoding="utf-8")
        if any(mark in text.lower() for mark in ("</script", "<script", "<!--")):
            raise ValueError(f"{path} of {package} cannot stand in a page: it has marks of HTML")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        found.append(Script(text=Markup(text), digest=digest))
    return found


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
        name = one.section.name
        names = (f"sections/{name}.html.jinja", f"{name}/section.html.jinja", "plain.html.jinja")
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


def _objective(about: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a sheet says of the objective, a function of one's own without its file."""
    return {**about, **({"name": without_place(about["name"])} if "name" in about else {})}


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
        "objective": _objective(info.get("objective", {})),
        "fixed": subject.fixed,
        "proxies": proxy_table(study).to_dict("records"),
        "settings": as_texts(settings(study)),
        "config": as_texts(info.get("config", {})),
        "provenance": provenance(study),
        "runs": later_runs(study),
        "numerics": numerics(study),
        "mlflow": mlflow_place(study),
        "measured": own_measurements(study),
    }
