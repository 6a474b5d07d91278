"""Each form of claim on records in which it is planted that it holds, does not hold, or neither."""

import dataclasses

import numpy as np
import pytest
from planted import (
    CONTRAST,
    claim,
    columns,
    control,
    decay,
    flat,
    lr,
    question,
    records,
    registry,
    rising,
    sweep,
    tree,
    trial,
    words,
)

from analysis.claims import as_registry, power_table, verdicts
from analysis.claims.judge import judged
from analysis.claims.networks.estimand import Piece
from analysis.statistics.verdicts.form import FORMS
from lttune.errors import ConfigError

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


def test_nulls_are_rarely_decided():
    """Over 200 studies without any effect, a claim of one is supported in at most 5 % or so."""

    rng = np.random.default_rng(0)
    scalar = as_registry(tree(claim(question()))).claims[0].questions[0]
    row = as_registry(tree(claim(columns("trend")))).claims[0].questions[0]
    wrong = {"superiority": 0, "trend": 0}
    for i in range(200):
        for asked, size in ((scalar, 6), (row, (6, 3))):
            values = rng.normal(0, 0.005, size)
            piece = Piece(label="", values=values, higher=False, lower=False)
            found = judged(asked, piece, alpha=0.05, name=str(i), factor=1.0)
            wrong[asked.form] += found.is_supported
    assert max(wrong.values()) <= 18  # Binomial(200, .05): 99.5 %.


def test_a_row_is_all_that_a_new_form_takes(monkeypatch):
    """Checked, judged, shown and planned without a word about it elsewhere."""
    asked = question(form="much_better")
    with pytest.raises(ConfigError, match="much_better"):
        registry(claim(asked))
    plain = FORMS["superiority"]
    row = dataclasses.replace(plain, options=lambda terms: {"smallest": 10 * terms.smallest})
    monkeypatch.setitem(FORMS, "much_better", row)
    found = registry(claim(asked))
    for size, word in ((0.02, "supported"), (0.005, "supported, smaller"), (-0.02, "contradicted")):
        assert words(verdicts(trial(accuracy=rising(size)), found)) == [word]
    assert power_table(found, sd=0.001)["power"].item() > 0.9
