"""The table of the report's sections, in the page's order: a row for each.

Page, figures and CSVs loop over it. A new figure is a file in ``analysis/figures`` and a row here;
a section that is laid out in a way of its own has a template of its name as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from analysis.figures.anchor import accuracy, controls, early_stop, target_accuracy
from analysis.figures.design.importance import importance_figure
from analysis.figures.design.map import lr_fraction
from analysis.figures.design.noise import noise
from analysis.figures.design.surrogate import opinion_table, surrogate
from analysis.figures.design.widths import width
from analysis.figures.learning import learning
from analysis.figures.search.budget import best_of_k_figure
from analysis.figures.search.confirmation import confirmation
from analysis.figures.search.fair import fair
from analysis.figures.search.pareto import pareto
from analysis.figures.search.search import search, search_factors
from analysis.figures.sweeps import sweeps
from analysis.figures.weights import connectivity, weights
from analysis.report.rows import captions, differences, trials, values
from analysis.report.rows import importance as estimated
from analysis.report.rows.exploring import explored
from analysis.report.section import (
    Section,
    Subject,
    Tabled,
    drawn,
    drawn_from,
    drawn_of_design,
)
from analysis.tables.confirmation import confirmation_table
from analysis.tables.controls import on_target
from analysis.tables.curves import difference_table
from analysis.tables.design.widths import width_table
from analysis.tables.fair_comparison import choice_table, pair_table, value_table
from analysis.tables.learning import reached_table
from analysis.tables.noise import noise_table
from analysis.tables.objective import answer_density
from analysis.tables.sweeps import gain_table, sweep_networks
from analysis.tables.trials import front_table, is_searched, trial_table


def _estimated(name: str) -> Callable[[Subject], pd.DataFrame]:
    """Returns what takes a table of ``Subject.design``; an empty one without a design."""
    return lambda subject: getattr(subject.design, name) if subject.design else pd.DataFrame()


def _opinions(subject: Subject) -> pd.DataFrame:
    return opinion_table(subject.design) if subject.design else pd.DataFrame()


def _verdicts(subject: Subject, tables: Tabled) -> Mapping[str, Any]:
    return {"verdicts": subject.verdicts} if subject.verdicts else {}


def _is_searched(subject: Subject) -> bool:
    return is_searched(subject.study)


SECTIONS = (
    Section(
        name="claims",
        heading="The claims",
        figures=lambda subject, tables: [subject.verdicts.drawing] if subject.verdicts else [],
        caption="Estimates with the intervals by which they were judged; the line is no effect. A "
        "verdict reads the claim’s own margin, not the line.",
        tables={"verdicts": lambda s: s.verdicts.table if s.verdicts else pd.DataFrame()},
        rows=_verdicts,
    ),
    Section(name="accuracy", figures=drawn(accuracy), caption=captions.of_accuracy),
    Section(
        name="early_stop",
        figures=drawn(early_stop),
        caption="The evaluation with the lowest validation loss: fewer steps mean faster learning. "
        "Training itself is never stopped by it. × marks a network that diverged.",
    ),
    Section(
        name="learning",
        figures=drawn(learning),
        caption="Mean over replicates at each evaluation, bands are 95 % t-intervals (from 3 "
        "replicates on). Below: when validation accuracy is first within half a point of the "
        "dense network’s at its early stop; a network that never is has no such step.",
        tables={"steps_to_accuracy": lambda s: reached_table(s.study)},
        rows=values.first_reached,
    ),
    Section(
        name="differences",
        heading="Differences per density",
        tables={"differences": lambda s: difference_table(s.study.records, "test_accuracy")},
        rows=differences.differences_at_home,
    ),
    Section(
        name="controls",
        figures=drawn(controls),
        caption="A panel for each kind of control, the ticket in black and its dense network "
        "dashed in all of them. Thin lines are replicates; the band of the ticket's mean holds for "
        "all densities at once (95 %, from 3 replicates on). × marks a network that diverged.",
    ),
    Section(
        name="transfer",
        heading="On the target",
        figures=drawn(target_accuracy),
        caption="As the first figure, with every network trained on the target. Bands are 95 % "
        "t-intervals.",
        tables={
            "differences_target": lambda s: difference_table(
                on_target(s.study.records), "test_accuracy"
            )
        },
        rows=differences.differences_on_target,
    ),
    Section(
        name="connectivity",
        heading="What the tickets are like",
        figures=drawn(connectivity),
        caption="Each ticket is trained twice with different data orders; the barrier is the "
        "largest excess of the error on the straight line between the two over the line of their "
        "own errors. At 0 the two are linearly connected. Bands hold for all densities at once "
        "(95 %).",
    ),
    Section(
        name="weights",
        heading="What the tickets are like",
        figures=drawn(weights),
        caption="Means over each layer's survivors, thin lines one replicate. Of more than six "
        "layers the curves are the kinds of layer. Bands hold for all densities at once (95 %, "
        "from 3 replicates on).",
    ),
    Section(
        name="sweeps",
        heading="Sweeps",
        figures=lambda subject, tables: sweeps(subject.study, subject.subtitle),
        caption="{title}. Gain needs both networks to be sound; × marks one that diverged.",
        tables={"sweep_gain": lambda s: gain_table(sweep_networks(s.study))},
        rows=values.swept,
    ),
    Section(
        name="importance",
        heading="Which hyperparameter matters at which density",
        figures=drawn_of_design(importance_figure),
        caption="Sobol’ indices of a Gaussian process on the space-filling design: S1 is the share "
        "of the variance that a factor explains alone, ST with all its interactions, under the "
        "declared distributions. Bands are 95 %. Grey is the design's inert "
        "control factor, which nothing reads: what the estimate finds for it is error. Below: how "
        "much variance there is to share, and how well the surrogate predicts; where Q2 is below "
        "the gate there are no indices.",
        tables={
            name: _estimated(name) for name in ("ranks", "leads", "changes", "diverges", "given_ok")
        },
        rows=estimated.by_factor,
    ),
    Section(name="lr_fraction", figures=drawn(lr_fraction), caption=captions.of_map),
    Section(
        name="surrogate",
        heading="Surrogate check",
        figures=drawn_of_design(surrogate),
        caption="Each point of the design as the surrogate predicts it from all others, with 95 % "
        "prediction intervals, against what was observed, the mean over its replicates. Red "
        "crosses lie outside; of 95 % intervals one in twenty should. Grey panels have a Q2 below "
        "the gate.",
        tables={"opinions": _opinions},
        rows=estimated.opinions,
    ),
    Section(
        name="optuna",
        heading="Other importances, and the question each answers",
        rows=estimated.others,
    ),
    Section(
        name="widths",
        heading="How wide is good",
        figures=drawn_from(width, "widths"),
        caption="How much of the range of a factor that was looked at is good, with 95 % bootstrap "
        "intervals. In a sweep all else is at the paper’s setting; in a design it is averaged over "
        "the declared ranges. A range that is wholly good is wider than was looked at.",
        tables={"widths": lambda s: width_table(s.study, s.design)},
        rows=estimated.widths,
    ),
    Section(
        name="noise",
        heading="Where the noise comes from",
        figures=drawn_from(noise, "noise"),
        caption="Standard deviations of test accuracy by a mixed model: between points, which "
        "differ in hyperparameters; between replicates, which have the same initial weights and "
        "data order at every point; and what is left, a replicate’s luck at one point. Zero has no "
        "place on a log axis and is not drawn. Where points diverge or never learn, their noise is "
        "most of what is left. Few groups make a component rough.",
        tables={"noise": lambda s: noise_table(s.study)},
        rows=estimated.sources_of_noise,
    ),
    Section(
        name="search",
        heading="Search",
        figures=drawn(search),
        caption="Each point is one trial. The base configuration stands there once for each anchor "
        "replicate: their spread is what chance alone does.",
        rows=trials.searched,
    ),
    Section(
        name="factors",
        heading="Search",
        figures=drawn(search_factors),
        caption="The same trials against each factor. A search samples where it hopes for the "
        "best, so these panels show no importances.",
    ),
    Section(
        name="best_of_k",
        heading="Search",
        figures=drawn(best_of_k_figure),
        caption=captions.of_budget,
        stands=_is_searched,
    ),
    Section(
        name="pareto",
        heading="Search",
        figures=drawn(pareto),
        caption="Each point is one trial: its ticket’s density, and its validation accuracy there. "
        "No trial of the search is as small and as accurate as one on the front, and better in one "
        "of the two. Dashed is the front of the trials that were drawn at random.",
        stands=_is_searched,
    ),
    Section(
        name="front",
        heading="Search",
        tables={"front": lambda s: front_table(s.study)},
        rows=trials.on_front,
    ),
    Section(
        name="confirmation",
        heading="Confirmation",
        figures=drawn(confirmation),
        caption="Above thick lines are means, thin ones replicates, black the base configuration. "
        "Below are the differences from it, paired by replicate, on one grid of densities; their "
        "bands hold for all densities of a curve at once (95 %, from 3 replicates on). The dotted "
        "line is the density that the objective reads.",
        tables={"confirmed": lambda s: confirmation_table(s.study)},
        rows=trials.confirmed_rows,
    ),
    Section(
        name="fair",
        heading=lambda subject: f"Fair comparison of {subject.study.info.get('compared')}",
        figures=drawn(fair),
        caption="Above every tuning trial by its validation objective, the choice of each value "
        "with a ring. Below the choices on fresh replicates: thin lines are replicates, thick ones "
        "means, bands hold for all densities of a curve at once (95 %, from 3 replicates on). "
        "Minus new weights: the ticket’s accuracy minus that of its mask with a new "
        "initialisation.",
        tables={
            "fair_choices": lambda s: choice_table(s.study),
            "fair_values": lambda s: value_table(s.study),
            "fair_pairs": lambda s: pair_table(s.study),
        },
        rows=values.compared,
    ),
    Section(name="explore", heading="To explore", rows=explored),
    Section(
        name="trials",
        heading="All trials",
        tables={"trials": lambda s: trial_table(s.study, answer_density(s.study))},
        rows=trials.everything,
    ),
    Section(
        name="problems",
        heading="Trials that failed, stopped or diverged",
        rows=trials.problems,
    ),
)
"""The report's sections in the order of the page."""
