"""Captions that say more of one study than of another."""

from __future__ import annotations

from analysis.figures.search.budget import random_trials, told_points
from analysis.frame import in_phases
from analysis.report.section import Subject
from analysis.tables.trials import search_table


def of_accuracy(subject: Subject) -> str:
    """Returns the caption of the central figure."""
    text = (
        "Every thin line is one replicate, thick lines are means, bands are 95 % t-intervals. × "
        "marks a network that diverged; a ticket that did ends its replicate."
    )
    if (subject.study.info.get("config") or {}).get("control_densities"):
        text += (
            " Controls were trained at the levels around a few densities only; between those their "
            "curves break."
        )
    return text


def of_map(subject: Subject) -> str:
    """Returns the caption of the map of learning rate and pruning fraction."""
    text = (
        "Colour is the gain over the own dense network; round points keep within the margin, "
        "triangles do not, × diverged; + learned little to begin with, so its gain says nothing."
    )
    designed = in_phases(subject.study.records, lambda phase: phase.is_design).any()
    return text if designed else f"{text} A search samples where it hopes for the best."


def of_budget(subject: Subject) -> str:
    """Returns the caption of what a budget of trials buys."""
    study = subject.study
    text = (
        "What a budget of trials buys. Dashed: the expected best of k trials drawn at random, with "
        "a 95 % bootstrap interval, up to half of those there are; dotted beyond, where it rests "
        "on the few best. Solid: the best so far of the search, in the order of its trials, once. "
        "The expectation holds for independent draws only. A sampler’s trials are none, so the "
        "search has no such curve and no interval."
    )
    if told := told_points(study):
        text += (
            " The search’s trial 1 is not its first look: it was told up to "
            f"{told} trained points before, so its curve begins where those left off, and at equal "
            "k the two budgets are not equal."
        )
    if (search_table(study)["state"] == "stopped").any():
        text += (
            " A trial that was stopped is one of the k, but is never the best: it did not reach "
            "the density that the objective reads."
        )
    if random_trials(study)[1].is_design:
        text += " A design’s ranges may be others than the search’s."
    return text
