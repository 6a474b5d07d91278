"""Which figures a study has: those for whose networks there are records, in the page's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from analysis import design_figures, figures, search_figures, sweep_figures, weight_figures
from analysis.answer import scale_line
from analysis.budget_figures import best_of_k_figure
from analysis.canvas import Drawing
from analysis.confirmation_figures import confirmation
from analysis.controls import MAIN, on_target
from analysis.curves import anchor
from analysis.fair_figures import fair
from analysis.frame import Study
from analysis.importance.saved import Tables
from analysis.map_figures import lr_fraction
from analysis.noise_figures import noise
from analysis.pareto_figures import pareto
from analysis.surrogate_figures import surrogate
from analysis.trials import search_table
from analysis.width_figures import width

Tabled = Mapping[str, pd.DataFrame]

OPTIONAL: tuple[Callable[[Study, str], Drawing | None], ...] = (
    weight_figures.connectivity,
    weight_figures.weights,
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
        drawn += [figures.accuracy(study, subtitle), figures.early_stop(study, subtitle)]
        if set(networks["branch"]) - set(MAIN):
            drawn.append(figures.controls(study, subtitle))
    if len(anchor(on_target(study.records))):
        drawn.append(figures.transfer(study, subtitle))
    drawn += sweep_figures.sweeps(study, subtitle)
    if design is not None:
        drawn.append(design_figures.importance(study, subtitle, design))
        drawn.append(surrogate(study, subtitle, design))
    drawn += [noise(study, subtitle, tables["noise"]), width(study, subtitle, tables["widths"])]
    if study.info.get("space") and (search_table(study)["phase"] == "search").any():
        drawn += [
            search_figures.search(study, subtitle),
            search_figures.factors(study, subtitle),
        ]
    drawn += [draw(study, subtitle) for draw in OPTIONAL]
    return [found for found in drawn if found is not None]


def subtitle_of(study: Study) -> str:
    """Returns what stands under the title of every figure: the study, and how far it carries."""
    return f"{study.info.get('name', study.folder.name)}: {scale_line(study)}"
