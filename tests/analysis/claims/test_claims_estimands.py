"""What a question reads of its networks: paired, at equal densities, in the claim's direction."""

import numpy as np
import pytest
from planted import (
    LRS,
    claim,
    columns,
    decay,
    lr,
    question,
    records,
    registry,
    rising,
    sweep,
    trial,
    words,
)

from analysis.claims import verdicts
from analysis.claims.networks import estimand


def test_differences_are_paired(monkeypatch):
    """Replicates differ by ten times what was planted; without pairs that would drown it."""

    rows = sweep(0.003, 0)
    more = question(
        name="more", measure="accuracy", cells=[lr(LRS[0], weight=1), lr(LRS[1], weight=-1)]
    )
    same = columns("robust", 2, margin=0.006)
    found = verdicts(rows, registry(claim(more, same, form="superiority"))).iloc[0]
    assert found["verdict"] == "supported"
    assert verdicts(rows, registry(claim(more))).iloc[0]["high"] < 0.005

    calls = []

    def every_other(one, units, plain=estimand._rows):
        calls.append(one)
        return plain(one, [*units[1:], units[0]] if len(calls) % 2 else units)

    monkeypatch.setattr(estimand, "_rows", every_other)
    assert words(verdicts(rows, registry(claim(more)))) == ["inconclusive"]
    assert words(verdicts(rows, registry(claim(same)))) == ["inconclusive"]


def test_a_small_difference_supports_a_smaller_claim():
    found = verdicts(trial(accuracy=rising(0.0008), own=0.0001), registry(claim(question())))
    assert words(found) == ["supported, smaller"]


def test_estimates_have_the_direction_and_unit_of_the_claim():
    faster = trial(steps=lambda d: 5_000 if d == 1 else 2_500)
    asked = question(measure="steps_ratio", direction="down")
    row = verdicts(faster, registry(claim(asked))).iloc[0]
    assert row["unit"] == "ratio"
    assert 0.45 < row["low"] < row["estimate"] < row["high"] < 0.55
    worse = trial(accuracy=rising(-0.005))
    row = verdicts(worse, registry(claim(question(direction="down")))).iloc[0]
    assert row["estimate"] == pytest.approx(-0.005, abs=5e-4)
    assert row["low"] < row["estimate"] < row["high"] < 0


def test_the_window_is_averaged_and_interpolated_within_each_replicate():
    rows = trial(accuracy=lambda d: 0.97 + 0.01 * np.log(d), own=0.0)
    asked = question(form="superiority", direction="down", densities=[0.3, 0.2])
    row = verdicts(rows, registry(claim(asked))).iloc[0]
    assert row["estimate"] == pytest.approx(0.005 * (np.log(0.3) + np.log(0.2)), abs=1e-9)


def test_densities_and_not_levels_are_compared():
    """At equal levels the slow pruning would look better: its networks are larger."""
    curve = decay(0.01)
    slow = trial(at={"prune.fraction": 0.1, "prune.fractions.out": 0.1}, accuracy=curve, levels=32)
    fast = trial(1, at={"prune.fraction": 0.4, "prune.fractions.out": 0.1}, accuracy=curve)
    cells = [
        {"name": f"{r}", "at": {"prune.fraction": r, "prune.fractions.out": 0.1}}
        for r in (0.1, 0.4)
    ]
    asked = question(form="robust", measure="accuracy", compare="columns", cells=cells)
    assert words(verdicts(records(slow, fast), registry(claim(asked)))) == ["supported"]


def test_networks_of_different_size_are_compared_at_equal_numbers_of_weights():
    cells, trials = [], []
    for i, name in enumerate(("lenet-100-34", "lenet-300-100")):
        size = 784 * 100 + 100 * 34 + 340 if i == 0 else 266_200
        cells.append({"name": name, "at": {"model.name": name}})
        curve = lambda d, size=size: 0.97 + 0.01 * np.log(min(d * size, 2e4) / 2e4)  # noqa: E731
        trials.append(trial(i, at={"model.name": name}, accuracy=curve))
    asked = {"form": "robust", "compare": "columns", "measure": "accuracy", "cells": cells}
    by_weights = question(**asked, survivors=[10_000], densities=[])
    by_density = question(**asked, densities=[0.1])
    assert words(verdicts(records(*trials), registry(claim(by_weights)))) == ["supported"]
    assert words(verdicts(records(*trials), registry(claim(by_density)))) == ["contradicted"]


def test_ticket_densities_are_compared_by_ratio():
    def until(end):
        return lambda d: 0.98 if d >= end or d == 1 else 0.9

    rows = records(
        trial(at={"train.lr": 1e-3}, accuracy=until(0.05), own=1e-5),
        trial(1, at={"train.lr": 2e-3}, accuracy=until(0.2), own=1e-5),
    )
    rows.loc[rows["level"] == 3, "test_accuracy"] += np.linspace(0, 1e-5, 12)
    cells = [lr(1e-3, weight=1), lr(2e-3, weight=-1)]
    asked = question(measure="ticket_density", direction="down", densities=[], cells=cells)
    row = verdicts(rows, registry(claim(asked))).iloc[0]
    assert row["estimate"] == pytest.approx(0.8**6, rel=1e-6)
