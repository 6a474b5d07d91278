"""One section of the report: a heading, figures, tables, and what its template is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from analysis.figures.canvas import Drawing
from analysis.frame import StudyFrame
from analysis.importance.saved import Importances
from analysis.report.answer import scale_line
from analysis.report.verdict_section import VerdictSection


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a report is about: a study, and what was found of it before the report."""

    study: StudyFrame
    """What is reported."""
    design: Importances | None = None
    """What was estimated of the study's design, of ``design_tables``."""
    note: str = ""
    """Why there is nothing of a design, or not all of it."""
    verdicts: VerdictSection | None = None
    """The verdicts on claims, None without any."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Which claims the study was planned for, of ``lock_facts``."""

    @property
    def subtitle(self) -> str:
        """What stands under the title of every figure: the study, and how far it carries."""
        return subtitle_of(self.study)


Text = str | Callable[[Subject], str]
Tabled = Mapping[str, pd.DataFrame]


def no_rows(subject: Subject, tables: Tabled) -> dict[str, Any]:
    """Returns nothing: of a section that is its figures alone."""
    return {}


def no_figures(subject: Subject, tables: Tabled) -> list[Drawing | None]:
    """Returns nothing: of a section that is its table alone."""
    return []


def always(subject: Subject) -> bool:
    """Returns true: of a section that every study may have."""
    return True


@dataclass(frozen=True, kw_only=True)
class Section:
    """A row of ``analysis.report.sections.SECTIONS``: all that the report knows of one section.

    It stands in the page if it has a figure or rows.
    """

    name: str
    """Its template is ``templates/sections/NAME.html.jinja``, or ``section.html.jinja`` in a folder
    of its name beside its script. Without one the page shows the figures, then what ``rows``
    returns as ``rows``: a list of mappings, heading -> cell."""
    heading: Text = ""
    """Over it. Empty, or the same as the last one: it belongs to the section before."""
    figures: Callable[[Subject, Tabled], Sequence[Drawing | None]] = no_figures
    """What is drawn, written as SVG with the CSV of its numbers; None where there is nothing."""
    caption: Text = ""
    """Under the heading of each figure; ``{title}`` in it is the drawing's."""
    tables: Mapping[str, Callable[[Subject], pd.DataFrame]] = field(default_factory=dict)
    """Stem of a CSV -> the table in it. ``figures`` and ``rows`` are given those of all sections.
    One that is empty is not written."""
    stands: Callable[[Subject], bool] = always
    """Whether the page has it where there is something to show; its files are written anyway."""
    rows: Callable[[Subject, Tabled], Mapping[str, Any]] = no_rows
    """Variable of the template -> what it shows; nothing where there is nothing."""


def said(text: Text, subject: Subject) -> str:
    """Returns a text of a section."""
    return text if isinstance(text, str) else text(subject)


def subtitle_of(study: StudyFrame) -> str:
    """Returns what stands under the title of every figure: the study, and how far it carries."""
    return f"{study.info.get('name', study.folder.name)}: {scale_line(study)}"


def drawn(
    draw: Callable[[StudyFrame, str], Drawing | None],
) -> Callable[[Subject, Tabled], list[Drawing | None]]:
    """Returns the figures of a section from a function of the study and the subtitle."""
    return lambda subject, tables: [draw(subject.study, subject.subtitle)]


def drawn_from(
    draw: Callable[[StudyFrame, str, pd.DataFrame], Drawing | None], name: str
) -> Callable[[Subject, Tabled], list[Drawing | None]]:
    """Returns the figures of a section from a function of a table of that name, too."""
    return lambda subject, tables: [draw(subject.study, subject.subtitle, tables[name])]


def drawn_of_design(
    draw: Callable[[StudyFrame, str, Importances], Drawing | None],
) -> Callable[[Subject, Tabled], list[Drawing | None]]:
    """Returns the figures of a section from a function of what the design says; none without."""
    return lambda subject, tables: (
        [draw(subject.study, subject.subtitle, subject.design)] if subject.design else []
    )
