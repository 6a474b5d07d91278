"""Each form of claim on records in which it is planted that it holds, does not hold, or neither."""

import numpy as np
import pandas as pd
import pytest
from planted import (
    CONTRAST,
    claim,
    flat,
    lr,
    question,
    records,
    registry,
    rising,
    tree,
    trial,
    words,
)

from analysis.claims import parse, sensitivity, verdicts
from analysis.statistics.verdicts.pair_rules import superiority

LRS = (1e-3, 1.2e-3, 2e-3, 3e-3)


def sweep(*sizes, n=6, **options):
    """Trials whose accuracy is raised by each size at every density."""
    return records(
        *(
            trial(i, n=n, at={"train.lr": v}, accuracy=lambda d, s=s: 0.97 + s, **options)
            for i, (v, s) in enumerate(zip(LRS, sizes, strict=False))
        )
    )


def control(size, n=6, **options):
    """A reinitialised control that is worse than the ticket by ``size``."""
    return trial(n=n, branch="reinit", accuracy=lambda d: 0.97 - size, **options)


COLUMNS = {"measure": "accuracy", "compare": "columns", "densities": [0.211]}


def columns(form, count=3, **more):
    cells = [lr(v) for v in LRS[:count]]
    return question(form=form, cells=cells, **(COLUMNS | more))


def decay(slope):
    return lambda density: 0.97 + slope * np.log(density)


PLANTED = {
    "superiority": (
        question(form="superiority", measure="accuracy", cells=CONTRAST),
        control(0.005),
        control(-0.005),
        control(0.0008, own=0.002),
    ),
    "superiority of gain": (
        question(form="superiority"),
        trial(accuracy=rising(0.005)),
        trial(accuracy=rising(-0.005)),
        trial(accuracy=rising(0.001), own=0.002),
    ),
    "downward": (
        question(form="superiority", direction="down"),
        trial(accuracy=rising(-0.005)),
        trial(accuracy=rising(0.005)),
        trial(accuracy=rising(-0.001), own=0.002),
    ),
    "fewer steps": (
        question(form="superiority", measure="steps_ratio", direction="down"),
        trial(steps=lambda d: 5_000 if d == 1 else 3_000),
        trial(steps=lambda d: 5_000 if d == 1 else 8_000),
        trial(3, jitter=0.1),
    ),
    "no_worse": (
        question(form="no_worse"),
        trial(accuracy=rising(0.0)),
        trial(accuracy=rising(-0.006)),
        trial(accuracy=rising(-0.002)),
    ),
    "robust": (
        columns("robust"),
        sweep(0, 0, 0),
        sweep(0, 0, 0.02),
        sweep(0, 0, 0.002),
    ),
    "robust against dense": (
        question(form="robust"),
        trial(accuracy=rising(0.0)),
        trial(accuracy=rising(0.02)),
        trial(accuracy=rising(0.002)),
    ),
    "sensitive": (
        columns("sensitive"),
        sweep(0, 0, 0.02),
        sweep(0, 0, 0),
        sweep(0, 0, 0.002),
    ),
    "best_value": (
        columns("best_value", value="lr 0.0012"),
        sweep(0, 0.02, 0.001),
        sweep(0.02, 0, 0.001),
        sweep(0, 0.0001, 0),
    ),
    "numeric": (
        question(form="numeric", number=0.005, tolerance=0.25),
        trial(accuracy=rising(0.005), own=0.0002),
        trial(accuracy=rising(0.01), own=0.0002),
        trial(accuracy=rising(0.005), own=0.004),
    ),
    "numeric ratio": (
        question(form="numeric", measure="steps_ratio", number=0.6, tolerance=0.25),
        trial(steps=lambda d: 5_000 if d == 1 else 3_000),
        trial(steps=lambda d: 5_000),
        trial(steps=lambda d: 5_000 if d == 1 else 3_000, jitter=0.5),
    ),
    "existence": (
        question(form="existence", across="columns", densities=[0.211, 0.07, 0.045]),
        trial(accuracy=rising(0.001)),
        trial(accuracy=rising(-0.01)),
        trial(accuracy=rising(-0.003), own=0.003),
    ),
    "interaction": (
        question(
            form="interaction",
            cells=[lr(1e-3, weight=1), lr(2e-3, weight=-1)],
        ),
        records(
            trial(at={"train.lr": 1e-3}, accuracy=rising(0.008)),
            trial(1, at={"train.lr": 2e-3}, accuracy=rising(0.0)),
        ),
        records(
            trial(at={"train.lr": 1e-3}, accuracy=rising(0.0)),
            trial(1, at={"train.lr": 2e-3}, accuracy=rising(0.008)),
        ),
        records(
            trial(at={"train.lr": 1e-3}, accuracy=rising(0.001), own=0.003),
            trial(1, at={"train.lr": 2e-3}, accuracy=rising(0.0), own=0.003),
        ),
    ),
    "trend over densities": (
        question(
            form="trend",
            measure="accuracy",
            across="columns",
            densities=[0.64, 0.211, 0.07],
            direction="down",
        ),
        trial(accuracy=decay(0.004)),
        trial(accuracy=decay(-0.004)),
        trial(accuracy=flat, own=0.004),
    ),
    "trend over values": (
        columns("trend", 4),
        sweep(0, 0.005, 0.01, 0.015),
        sweep(0.015, 0.01, 0.005, 0),
        sweep(0, 0, 0, 0, own=0.004),
    ),
}


@pytest.mark.parametrize(
    ("name", "place", "word"),
    [
        (name, place, word)
        for name in PLANTED
        for place, word in ((1, "supported"), (2, "contradicted"), (3, "inconclusive"))
    ],
)
def test_planted_truths(name, place, word):
    found = verdicts(PLANTED[name][place], registry(claim(PLANTED[name][0])))
    assert words(found) == [word], found.iloc[0]["reason"]


def test_differences_are_paired(monkeypatch):
    """Replicates differ by ten times what was planted; without pairs that would drown it."""
    from analysis.claims.networks import estimand

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


def test_a_claim_holds_if_all_its_questions_do():
    rows = trial(accuracy=rising(0.005), steps=lambda d: 5_000 if d == 1 else 8_000)
    more = question(name="more accurate")
    earlier = question(name="earlier", measure="steps_ratio", direction="down")
    later = earlier | {"name": "later", "direction": "up"}
    assert words(verdicts(rows, registry(claim(more, later)))) == ["supported"]
    found = verdicts(rows, registry(claim(more, earlier))).iloc[0]
    assert (found["verdict"], found["part"]) == ("contradicted", "earlier")
    open_ = question(name="open", form="numeric", number=0.006, tolerance=0.15)
    found = verdicts(rows, registry(claim(more, open_))).iloc[0]
    assert (found["verdict"], found["part"]) == ("inconclusive", "open")
    assert found["reason"].startswith("1 of 2 parts hold.")


def test_at_every_value_means_at_each_of_them():
    asked = question(compare="each", cells=[lr(v) for v in LRS[:3]])
    rows = [trial(i, at={"train.lr": v}, accuracy=rising(0.005)) for i, v in enumerate(LRS[:2])]
    last = {"number": 2, "at": {"train.lr": LRS[2]}}
    good = records(*rows, trial(accuracy=rising(0.005), **last))
    bad = records(*rows, trial(accuracy=rising(-0.005), **last))
    assert words(verdicts(good, registry(claim(asked)))) == ["supported"]
    found = verdicts(bad, registry(claim(asked))).iloc[0]
    assert (found["verdict"], found["part"]) == ("contradicted", "asked: lr 0.002")


def test_a_contradiction_of_one_part_is_corrected_for_their_number():
    from analysis.claims.judge import all_of

    values = np.array([-1.0, -1.2, -0.8, 0.3, -1.1, -0.2])
    weak = superiority(values)
    strong = superiority(values + 10)
    assert 0.025 < weak.p_against < 0.05
    assert all_of([("weak", weak)], 0.05)[1].verdict == "contradicted"
    both = all_of([("weak", weak), ("strong", strong)], 0.05)[1]
    assert both.verdict == "inconclusive"
    assert both.p_against == 2 * min(weak.p_against, strong.p_against)


def test_censored_steps_decide_only_what_they_can():
    """A dense network that had not stopped yet makes the true speed-up larger, never smaller."""
    asked = question(measure="steps_ratio", direction="down")
    fast = {"steps": lambda d: 5_000 if d == 1 else 3_000}
    dense_late = trial(late=lambda d: d == 1, **fast)
    ticket_late = trial(late=lambda d: d < 1, **fast)
    assert words(verdicts(dense_late, registry(claim(asked)))) == ["supported"]
    found = verdicts(ticket_late, registry(claim(asked))).iloc[0]
    assert found["verdict"] == "inconclusive"
    assert "only bound the true ones" in found["reason"]
    assert found["p"] == 1.0
    same = question(form="robust", measure="steps_ratio")
    even = trial(late=lambda d: d == 1)
    assert words(verdicts(trial(), registry(claim(same)))) == ["supported"]
    assert words(verdicts(even, registry(claim(same)))) == ["inconclusive"]


def test_margins_are_scaled_and_validation_is_read():
    rows = trial(accuracy=rising(-0.0015), own=0.0001)
    rows["val_accuracy"] = rows["test_accuracy"] - 0.01 * (rows["density"] < 1)
    found = sensitivity(rows, registry(claim(question(form="no_worse")))).iloc[0]
    assert found.tolist()[2:] == ["contradicted", "supported", "supported", "contradicted"]


def test_verdicts_depend_on_neither_order_nor_company():
    asked = columns("robust")
    rows = sweep(0, 0, 0.002, n=6)
    other = claim(columns("sensitive"), id="Y")
    alone = verdicts(rows, registry(claim(asked)))
    shuffled = rows.sample(frac=1, random_state=1)
    both = verdicts(shuffled, registry(other, claim(asked)))
    kept = ["verdict", "estimate", "low", "high", "p", "p_against"]
    # Sums in another order differ in the last bits.
    pd.testing.assert_frame_equal(
        alone[kept], both[both["claim"] == "X"][kept].reset_index(drop=True), rtol=1e-9
    )


def test_index_claims_read_importances():
    from analysis.importance.result import Importance

    draws = pd.DataFrame({"train.lr": np.linspace(0.5, 0.7, 99), "train.batch_size": 0.1})
    table = pd.DataFrame({"factor": draws.columns, "floor": [0.02, 0.02]})
    found = Importance(status="ok", trajectories=64, table=table, total=draws)
    more = question(
        name="more",
        form="matters_more",
        measure="importance",
        reads="gain",
        factors=["train.lr", "train.batch_size"],
        cells=[],
        densities=[],
    )
    is_large = more | {"name": "large", "form": "sensitive", "factors": ["train.lr"]}
    less = more | {"factors": more["factors"][::-1]}
    rows = trial(n=1)

    def word(asked, **options):
        return words(verdicts(rows, registry(claim(asked)), **options))

    assert word(more, importances={"gain": found}) == ["supported"]
    assert word(less, importances={"gain": found}) == ["contradicted"]
    assert word(is_large, importances={"gain": found}) == ["supported"]
    poor = Importance(status="inconclusive", reason="The surrogate is too poor.")
    row = verdicts(rows, registry(claim(more)), importances={"gain": poor}).iloc[0]
    assert row["verdict"] == "not tested"
    assert row["reason"].startswith("The surrogate is too poor.")
    assert word(more) == ["not tested"]


def test_nulls_are_rarely_decided():
    """Over 200 studies without any effect, a claim of one is supported in at most 5 % or so."""
    from analysis.claims.judge import judged
    from analysis.claims.networks.estimand import Piece

    rng = np.random.default_rng(0)
    scalar = parse(tree(claim(question()))).claims[0].questions[0]
    row = parse(tree(claim(columns("trend")))).claims[0].questions[0]
    wrong = {"superiority": 0, "trend": 0}
    for i in range(200):
        for asked, size in ((scalar, 6), (row, (6, 3))):
            values = rng.normal(0, 0.005, size)
            piece = Piece(label="", values=values, higher=False, lower=False)
            found = judged(asked, piece, alpha=0.05, name=str(i), factor=1.0)
            wrong[asked.form] += found.is_supported
    assert max(wrong.values()) <= 18  # Binomial(200, .05): 99.5 %.
