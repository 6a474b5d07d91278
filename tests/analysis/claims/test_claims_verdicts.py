"""How the parts of a claim make its verdict, and what may change it."""

import numpy as np
import pandas as pd
import pytest
from planted import (
    LRS,
    claim,
    columns,
    lr,
    question,
    records,
    registry,
    rising,
    sweep,
    trial,
    words,
)

from analysis.claims import sensitivity, verdicts
from analysis.claims.judge import all_of
from analysis.importance.result import Importance
from analysis.statistics.verdicts.pair_rules import superiority


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
    values = np.array([-1.0, -1.2, -0.8, 0.3, -1.1, -0.2])
    weak = superiority(values)
    strong = superiority(values + 10)
    assert 0.025 < weak.p_against < 0.05
    assert all_of([("weak", weak)], 0.05)[1].verdict == "contradicted"
    both = all_of([("weak", weak), ("strong", strong)], 0.05)[1]
    assert both.verdict == "inconclusive"
    assert both.p_against == 2 * min(weak.p_against, strong.p_against)


def test_a_part_that_holds_speaks_against_no_other():
    """It is shown to be small, with a tiny p: that is no evidence against what the other says."""
    rng = np.random.default_rng(1)
    small = superiority(0.002 + rng.normal(0, 1e-4, 6), smallest=0.005)
    weak = superiority(np.array([-1.0, -1.2, -0.8, 0.3, -1.1, -0.2]))
    assert (small.verdict, weak.verdict) == ("supported, smaller", "contradicted")
    assert small.p_against < 1e-4 < 0.025 < weak.p_against
    found = all_of([("small", small), ("weak", weak)], 0.05)[1]
    assert (found.verdict, found.p_against) == ("inconclusive", 2 * weak.p_against)
    assert all_of([("a", small), ("b", small)], 0.05)[1].p_against == 1.0


def test_what_lies_apart_by_less_than_a_margin_has_a_direction():
    """One difference, or two values: how far apart, and which way."""
    faster = trial(n=6, steps=lambda d: 5_000 if d == 1 else 3_500, jitter=0.05)
    for form in ("robust", "sensitive"):
        one = verdicts(faster, registry(claim(question(form=form, measure="steps_ratio")))).iloc[0]
        ratio = question(form="numeric", measure="steps_ratio", number=0.7)
        same = verdicts(faster, registry(claim(ratio))).iloc[0]
        assert 0.6 < one["low"] < one["estimate"] < one["high"] < 0.8
        shown = ["estimate", "low", "high"]
        np.testing.assert_allclose(one[shown].astype(float), same[shown].astype(float))

    rows = sweep(0, 0.02, n=6)
    for cells, sign in ((LRS[:2], -1), (LRS[1::-1], 1)):
        asked = question(
            form="sensitive", measure="accuracy", compare="columns", cells=[lr(v) for v in cells]
        )
        for direction in ("up", "down"):
            found = verdicts(rows, registry(claim(asked | {"direction": direction}))).iloc[0]
            assert found["estimate"] == pytest.approx(sign * 0.02, abs=0.003)
            assert found["low"] < found["estimate"] < found["high"]


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


@pytest.mark.parametrize(("stop", "word"), [(0.9, "supported"), (0.92, "inconclusive")])
def test_a_stop_in_the_last_tenth_of_training_is_no_end(stop, word):
    """A loss that falls to the end has its least value at one of the last evaluations, by chance:
    all networks stop as late as each other, whatever they would need."""
    same = question(form="robust", measure="steps_ratio")
    rows = trial(steps=lambda d: stop * 50_000, jitter=0.0)
    rows["train.steps"], rows["early_stop_at_end"] = 50_000, False
    rows["early_stop_step"] -= rows["replicate"] % 2 * (rows["density"] < 1)
    assert words(verdicts(rows, registry(claim(same)))) == [word]


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
