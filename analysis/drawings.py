"""Which figures a study has: those for whose networks there are records, in the page's order."""

from __future__ import annotations

from collections.abc import Callable

from analysis import design_figures, figures, search_figures, sweep_figures, weight_figures
from analysis.answer import scale_line
from analysis.budget_figures import best_of_k_figure
from analysis.canvas import Drawing
from analysis.confirmation_figures import confirmation
from analysis.controls import MAIN, on_target
from analysis.curves import anchor
from analysis.fair_figures import fair
from analysis.frame import Study
from analysis.map_figures import lr_fraction
from analysis.pareto_figures import pareto
from analysis.trials import search_table

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


def drawings(study: Study) -> tuple[list[Drawing], str]:
    """Returns the study's figures, and why its design has no importances; empty if it has."""
    subtitle = subtitle_of(study)
    drawn: list[Drawing] = []
    networks = anchor(study.records)
    if len(networks):
        drawn += [figures.accuracy(study, subtitle), figures.early_stop(study, subtitle)]
        if set(networks["branch"]) - set(MAIN):
            drawn.append(figures.controls(study, subtitle))
    if len(anchor(on_target(study.records))):
        drawn.append(figures.transfer(study, subtitle))
    drawn += sweep_figures.sweeps(study, subtitle)
    note = ""
    if (study.records["phase"] == "design").any():
        curves = design_figures.importance_tables(study)
        if isinstance(curves, str):
            note = curves
        else:
            note = curves.ended and f"The curves end early: {curves.ended}."
            drawn.append(design_figures.importance(study, subtitle, curves))
    if study.info.get("space") and (search_table(study)["phase"] == "search").any():
        drawn += [
            search_figures.search(study, subtitle),
            search_figures.factors(study, subtitle),
        ]
    drawn += [found for draw in OPTIONAL if (found := draw(study, subtitle)) is not None]
    return drawn, note


def subtitle_of(study: Study) -> str:
    """Returns what stands under the title of every figure: the study, and how far it carries."""
    return f"{study.info.get('name', study.folder.name)}: {scale_line(study)}"
