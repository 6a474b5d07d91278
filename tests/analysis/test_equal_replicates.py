"""What the answer says of replicates that agree, and of stops that only bound the true one."""

import math

import pytest
from sample_study import anchor_rows, write_study

from analysis import load
from analysis.claims.wording import estimate_text
from analysis.report import answer
from analysis.statistics.verdicts.pair_rules import superiority
from analysis.tables.lines import line_table


def test_a_stop_that_only_bounds_the_true_one_is_told(tmp_path):
    rows = anchor_rows(levels=9)
    study = load(write_study(tmp_path / "a", rows))
    [said] = [
        text for text in answer.answer(study) if text.startswith("The ticket's early-stopping")
    ]
    assert "last tenth" not in said
    for row in rows:
        late = row["branch"] == "trunk" and row["level"] == 7 and row["replicate"] < 2
        row["early_stop_at_end"] = late
    study = load(write_study(tmp_path / "b", rows))
    [said] = [
        text for text in answer.answer(study) if text.startswith("The ticket's early-stopping")
    ]
    assert "In the last tenth of training are 2 of the ticket's: there a true stop may" in said
    rows[0]["early_stop_at_end"] = True
    study = load(write_study(tmp_path / "c", rows))
    [said] = [
        text for text in answer.answer(study) if text.startswith("The ticket's early-stopping")
    ]
    assert "are 2 of the ticket's and 1 of the dense network's: there" in said


def test_replicates_that_agree_to_the_step_give_no_interval(tmp_path):
    rows = anchor_rows(levels=9)
    for row in rows:
        row["early_stop_step"] = 100 if row["level"] else 150
    said = " ".join(answer.answer(load(write_study(tmp_path / "earlier", rows))))
    assert (
        "is 50 steps earlier than the dense network's, in each of 3 replicates, which gives no "
        "interval." in said
    )
    for row in rows:
        row["early_stop_step"] = 100
    said = " ".join(answer.answer(load(write_study(tmp_path / "same", rows))))
    assert "is the same as the dense network's, in each of 3 replicates, which gives" in said


@pytest.mark.parametrize(("gain", "told"), [(0.0, "+0.00"), (0.0125, "+1.25"), (-0.1, "−10.00")])
def test_differences_that_are_all_equal_give_no_interval(tmp_path, gain, told):
    rows = anchor_rows(levels=9)
    for row in rows:
        # Sums of other numbers, of which rounding makes other differences.
        base = 0.9 + 0.01 * math.sqrt(row["replicate"])
        row["test_accuracy"] = base + gain * (row["branch"] == "trunk" and row["level"] > 0)
    said = " ".join(answer.answer(load(write_study(tmp_path, rows))))
    for other in ("dense", "reinitialised ticket"):
        assert (
            f"Ticket minus {other}, paired by replicate: {told} percentage points in each of 3 "
            "replicates; equal differences give no interval, so this may be chance." in said
        )
    assert "to +0.00" not in said


def test_a_verdict_on_equal_replicates_has_an_estimate_and_no_interval():
    found = superiority([0.02, 0.02, 0.02])
    assert (found.verdict, found.estimate) == ("inconclusive", pytest.approx(0.02))
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert estimate_text(vars(found) | {"unit": "share"}) == "2 points, no interval"


def test_a_band_has_no_width_only_where_that_is_certain(tmp_path):
    rows = [row for row in anchor_rows() if row["branch"] == "trunk"]
    for row in rows:
        row["test_accuracy"] = 0.9 - 0.01 * row["level"] * (row["level"] < 2 or row["replicate"])
    networks = load(write_study(tmp_path, rows)).records.assign(curve="a")
    table = line_table(networks, "test_accuracy", "curve")
    means = table[table["statistic"] == "mean"]
    ends = list(zip(means["low"], means["high"], strict=True))
    assert ends[0] == pytest.approx((0.9, 0.9))
    assert all(math.isnan(end) for end in ends[1])
    assert all(low < high for low, high in ends[2:])
