"""Which figures a study has: those for whose networks there are records, in the page's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from analysis.figures.anchor import accuracy, controls, early_stop, transfer
from analysis.figures.canvas import Drawing
from analysis.figures.design.importance import importance
from analysis.figures.design.map import lr_fraction
from analysis.figures.design.noise import noise
from analysis.figures.design.surrogate import surrogate
from analysis.figures.design.widths import width
from analysis.figures.search.budget import best_of_k_figure
from analysis.figures.search.confirmation import confirmation
from analysis.figures.search.fair import fair
from analysis.figures.search.pareto import pareto
from analysis.figures.search.search import factors, search
from analysis.figures.sweeps import sweeps
from analysis.figures.weights import connectivity, weights
from analysis.frame import Study
from analysis.importance.saved import Tables
from analysis.report.answer import scale_line
from analysis.tables.controls import MAIN, on_target
from analysis.tables.curves import anchor
from analysis.tables.trials import search_table

Tabled = Mapping[str, pd.DataFrame]

OPTIONAL: tuple[Callable[[Study, str], Drawing | None], ...] = (
    connectivity,
    weights,
    lr_fraction,
    pareto,
    best_of_k_figure,
    confirmation,
    fair,
)
"""Figures that say themselves whether there is anything to draw."""


def drawings(study: Study, design: Tables | None, tables: Tabled) -> list[Drawing]:
    """Returns the study's figures.

    Args:
        study: what is drawn.
        design: of ``design_tables``.
        tables: those that stand in the page beside a figure: ``noise`` and ``widths``.
    """
    subtitle = subtitle_of(study)
    drawn: list[Drawing | None] = []
    networks = anchor(study.records)
    if len(networks):
        drawn += [accuracy(study, subtitle), early_stop(study, subtitle)]
        if set(networks["branch"]) - set(MAIN):
            drawn.append(controls(study, subtitle))
    if len(anchor(on_target(study.records))):
        drawn.append(transfer(study, subtitle))
    drawn += sweeps(study, subtitle)
    if design is not None:
        drawn.append(importance(study, subtitle, design))
        drawn.append(surrogate(study, subtitle, design))
    drawn += [noise(study, subtitle, tables["noise"]), width(study, subtitle, tables["widths"])]
    if study.info.get("space") and (search_table(study)["phase"] == "search").any():
        drawn += [
            search(study, subtitle),
            factors(study, subtitle),
        ]
    drawn += [draw(study, subtitle) for draw in OPTIONAL]
    return [found for found in drawn if found is not None]


def subtitle_of(study: Study) -> str:
    """Returns what stands under the title of every figure: the study, and how far it carries."""
    return f"{study.info.get('name', study.folder.name)}: {scale_line(study)}"
