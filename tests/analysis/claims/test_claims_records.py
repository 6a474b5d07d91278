"""Which records a claim reads: its cells at one scale, its planned replicates, each once."""

import pandas as pd
import pytest
from planted import (
    CONTRAST,
    claim,
    lr,
    question,
    records,
    registry,
    rising,
    trial,
    words,
)

from analysis.claims import verdicts


def only(rows, *questions, **changes):
    """The single row of the table."""
    found = verdicts(rows, registry(claim(*questions, **changes)))
    assert len(found) == 1
    return found.iloc[0]


GOOD = {"accuracy": rising(0.005)}


def test_fewer_replicates_than_planned_decide_nothing():
    row = only(trial(n=4, **GOOD), question())
    assert row["verdict"] == "not tested"
    assert row["reason"] == (
        "4 of 6 planned replicates are there, 2 are missing. Study: no study. Cost: nothing."
    )
    assert pd.isna(row["estimate"])
    assert pd.isna(row["p"])


def test_more_replicates_than_planned_are_not_read():
    first = trial(n=6, **GOOD)
    more = trial(1, n=6, first=6, accuracy=rising(-0.05))
    assert only(records(more, first), question())["verdict"] == "supported"
    assert only(records(more, first), question())["n"] == 6


def test_unpaired_replicates_do_not_count():
    control = trial(n=6, branch="reinit")
    trunks = trial(n=6, first=6)
    half = records(control[control["replicate"] < 3], trunks)
    row = only(half, question(measure="accuracy", cells=CONTRAST))
    assert row["reason"].startswith("3 of 6 planned replicates are there, 3 are missing.")


def test_the_same_replicate_of_another_study_is_no_further_one():
    one = trial(n=6, **GOOD)
    again = trial(n=6, study="again", **GOOD)
    assert only(records(one, again), question(), n=7)["verdict"] == "not tested"
    other = trial(n=6, study="other", seed=1, **GOOD)
    assert only(records(one, other), question(), n=12)["verdict"] == "supported"
    worse = trial(n=6, study="zzz", accuracy=rising(-0.05))
    assert only(records(worse, one), question())["p"] == only(one, question())["p"]


def test_cells_are_found_by_every_hyperparameter():
    rows = records(
        trial(n=6, **GOOD),
        trial(1, n=6, first=6, at={"train.weight_decay": 1e-4}, accuracy=rising(-0.05)),
        trial(2, n=6, first=12, phase="search", accuracy=rising(-0.05)),
        trial(3, n=6, first=18, at={"prune.fractions.fc1": 0.5}, accuracy=rising(-0.05)),
    )
    assert only(rows, question())["verdict"] == "supported"
    assert only(rows, question(), n=7)["verdict"] == "not tested"


def test_a_hyperparameter_that_nothing_reads_does_not_matter():
    rows = trial(at={"train.momentum": 0.5, "model.init_std": 0.3, "levels": 30}, **GOOD)
    assert only(rows, question())["verdict"] == "supported"
    rows = trial(at={"train.momentum": 0.5, "train.optimizer": "momentum"}, **GOOD)
    cells = [{"name": "momentum", "at": {"train.optimizer": "momentum"}}]
    assert only(rows, question(cells=cells))["verdict"] == "not tested"


def test_a_fraction_by_layer_is_a_fraction_by_kind_or_of_all():
    named = trial(at={f"prune.fractions.fc{i}": 0.2 for i in (1, 2)}, **GOOD)
    common = trial(**GOOD)
    assert "prune.fractions.fc1" not in common
    assert only(named, question())["verdict"] == "supported"
    assert only(common, question())["verdict"] == "supported"


def test_columns_that_old_records_lack_are_default():
    rows = trial(**GOOD).drop(columns=["pruned", "model.dropout", "train.milestones"])
    assert only(rows, question())["verdict"] == "supported"


def test_scales_are_never_mixed():
    short = trial(n=4, at={"train.steps": 3_000}, **GOOD)
    long = trial(1, n=4, first=4, **GOOD)
    found = verdicts(records(short, long), registry(claim(question())))
    assert words(found) == ["not tested", "not tested"]
    whole = records(short, trial(2, n=2, first=4, at={"train.steps": 3_000}, **GOOD), long)
    found = verdicts(whole, registry(claim(question())))
    assert sorted(words(found)) == ["not tested", "supported"]
    both = records(trial(n=6, at={"train.steps": 3_000}, **GOOD), trial(1, n=6, **GOOD))
    assert words(verdicts(both, registry(claim(question())))) == ["supported", "supported"]
    row = found[found["verdict"] == "supported"].iloc[0]
    assert row["scale"] == "3,000 steps, lenet-300-100, mnist, batch 60"
    assert row["deviates"] == ["train.steps 3,000 instead of 50,000"]


def test_a_smaller_network_deviates_and_another_kind_is_no_cell():
    small = trial(at={"model.name": "lenet-100-34"}, **GOOD)
    row = only(small, question())
    assert row["deviates"] == ["model.name lenet-100-34 instead of lenet-300-100"]
    assert only(trial(at={"model.name": "conv-2"}, **GOOD), question())["verdict"] == "not tested"


def test_what_a_claim_varies_is_no_deviation():
    rows = records(
        trial(at={"train.batch_size": 60}, **GOOD),
        trial(1, at={"train.batch_size": 1024}, **GOOD),
    )
    cells = [{"name": f"{b}", "at": {"train.batch_size": b}} for b in (60, 1024)]
    row = only(rows, question(compare="each", cells=cells))
    assert (row["verdict"], row["deviates"]) == ("supported", [])
    assert row["scale"].endswith("batch varied")


def test_a_missing_cell_is_named_with_the_study_and_its_cost():
    cells = [lr(v, weight=w) for v, w in ((1.2e-3, 1), (1e-3, -1))]
    row = only(trial(**GOOD), question(cells=cells), study="a sweep", cost="an hour")
    assert row["reason"] == (
        "The records lack 1 of 2 cells: lr 0.001. Study: a sweep. Cost: an hour."
    )
    missing = only(trial(**GOOD), question(cells=[{"name": "c", "branch": "freeze"}]))
    assert missing["reason"].startswith("The records hold none of its networks.")
    none = only(trial().head(0), question())
    assert none["verdict"] == "not tested"
    column = only(trial(**GOOD), question(reads="no_such"))
    assert column["reason"].startswith("The records have no column 'no_such'.")


def test_diverged_and_unreached_networks_are_counted_and_decide_nothing():
    rows = trial(n=10, **GOOD)
    bad = (rows["replicate"] < 1) & (rows["level"] > 3)
    rows.loc[bad, "diverged"] = True
    assert only(rows, question(), n=10)["verdict"] == "supported"
    rows.loc[(rows["replicate"] < 3) & (rows["level"] > 3), "diverged"] = True
    row = only(rows, question(), n=10)
    assert row["verdict"] == "not tested"
    assert row["reason"].startswith(
        "3 of 10 replicates have no sound network at some density. The other 7 alone would make it "
        "supported; of 30 planned replicates or more that many may be lost."
    )
    shallow = only(trial(levels=6, **GOOD), question())
    assert shallow["reason"].startswith("6 of 6 replicates have no sound network")
    assert "alone" not in shallow["reason"]
    six = trial(n=6, **GOOD)
    six.loc[(six["replicate"] < 1) & (six["level"] > 3), "diverged"] = True
    reason = only(six, question(), n=6)["reason"]
    assert "The other 5 alone would make it supported; of 10 planned replicates" in reason


def test_short_trainings_say_nothing_about_a_claim_of_long_ones():
    rows = trial(at={"train.steps": 3_000}, **GOOD)
    row = only(rows, question(), least_steps=20_000)
    assert row["reason"].startswith("It needs trainings of 20,000 steps, these are of 3,000.")


def test_several_studies_are_read_together():
    trunk = trial(at={"train.lr": 1e-3}, accuracy=rising(0.005))
    other = trial(1, at={"train.lr": 2e-3}, study="second")
    cells = [lr(1e-3, weight=1), lr(2e-3, weight=-1)]
    found = verdicts([trunk, other.head(0), other], registry(claim(question(cells=cells))))
    assert words(found) == ["supported"]


def test_layers_are_columns_of_the_trunk():
    rows = trial()
    key = ["study", "phase", "trial", "replicate", "level"]
    trunk = rows.loc[rows["branch"] == "trunk", key]
    layers = trunk.assign(layer="fc1", initial_bimodality=0.3 + 0.02 * trunk["level"])
    layers["size"], layers["surviving"] = 200, 160
    layers["initial_bimodality"] += 0.001 * layers["replicate"]
    for name in ("incoming", "outgoing"):
        layers[f"{name}_mean"], layers[f"{name}_std"] = 10.0, 5.0
    for name in ("moved", "grown"):
        layers[f"dense_{name}_kept"], layers[f"dense_{name}_pruned"] = 0.5, 0.25
    asked = question(
        measure="accuracy", reads="initial_bimodality.fc1", densities=[0.64], sesoi=0.01
    )
    found = verdicts(rows, registry(claim(asked)), layers=layers).iloc[0]
    assert found["estimate"] == pytest.approx(0.34 + 0.001 * 2.5, abs=1e-6)
    assert found["unit"] == "initial_bimodality.fc1"
    assert words(verdicts(rows, registry(claim(asked)))) == ["not tested"]
