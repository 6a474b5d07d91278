"""What networks of another size, other pictures or too short a training can say about a claim."""

import pytest
from planted import (
    claim,
    flat,
    lr,
    question,
    records,
    registry,
    rising,
    trial,
    words,
)

from analysis.claims import lock as locks
from analysis.claims import verdicts
from analysis.statistics.verdicts.multiplicity import holm

BEFORE = "2026-01-01T00:00:00+00:00"


def confirmatory(name, *questions, **changes):
    return claim(*questions, id=name, role="confirmatory", **changes)


def judged(rows, *claims):
    known = registry(*claims)
    return verdicts(rows, known, lock=locks.lock(known, date=BEFORE))


@pytest.mark.parametrize(
    "at",
    [{"model.name": "lenet-100-34"}, {"data.pool": 2}, {"data.name": "fashion-mnist"}],
)
def test_another_network_or_other_pictures_are_a_proxy(at):
    found = judged(trial(at=at, accuracy=rising(0.005)), confirmatory("A", question())).iloc[0]
    assert found["role"] == "exploratory (proxy)"
    assert found["scale"].endswith(", proxy")
    own = judged(trial(accuracy=rising(0.005)), confirmatory("A", question())).iloc[0]
    assert own["role"] == "confirmatory"
    assert "proxy" not in own["scale"]


def test_of_a_source_that_names_no_dataset_each_is_its_own():
    rows = trial(at={"data.name": "fashion-mnist"}, accuracy=rising(0.005))
    found = judged(rows, confirmatory("A", question(), dataset="any")).iloc[0]
    assert (found["role"], found["verdict"]) == ("confirmatory", "supported")
    assert "proxy" not in found["scale"]
    assert "fashion-mnist" in found["scale"]
    assert not any("data.name" in told for told in found["deviates"])
    pooled = {"data.name": "fashion-mnist", "data.pool": 2}
    rows = trial(at=pooled, accuracy=rising(0.005))
    found = judged(rows, confirmatory("A", question(), dataset="any")).iloc[0]
    assert found["role"] == "exploratory (proxy)"


def test_a_setting_that_an_older_version_did_not_have_makes_no_proxy():
    rows = trial(accuracy=rising(0.005)).assign(**{"data.pool": None, "data.blur": None})
    found = judged(rows, confirmatory("A", question())).iloc[0]
    assert (found["role"], found["scale"].endswith("batch 60")) == ("confirmatory", True)


def test_what_a_claim_varies_makes_no_proxy():
    cells = [{"name": n, "at": {"model.name": n}} for n in ("lenet-100-34", "lenet-300-100")]
    rows = records(*(trial(i, at=dict(cell["at"])) for i, cell in enumerate(cells)))
    asked = question(form="robust", compare="columns", measure="accuracy", cells=cells)
    assert judged(rows, confirmatory("A", asked)).iloc[0]["role"] == "confirmatory"


def test_a_proxy_does_not_count_in_the_family():
    own = trial(accuracy=rising(0.0013), own=0.0008)
    small = trial(1, at={"model.name": "lenet-100-34"}, accuracy=rising(0.0013))
    cells = question(name="b", densities=[0.211])
    claims = (confirmatory("A", question()), confirmatory("B", cells))
    alone, both = judged(own, *claims), judged(records(own, small), *claims)
    kept = both[both["role"] == "confirmatory"]
    assert len(both) == 4
    assert kept["p_adjusted"].tolist() == pytest.approx(alone["p_adjusted"].tolist())
    assert kept["p_adjusted"].tolist() == pytest.approx(list(holm(kept["p"])))


def test_more_survivors_than_weights_are_refused():
    cells = [{"name": n, "at": {"model.name": f"lenet-{n}"}} for n in ("25-9", "300-100")]
    rows = records(*(trial(i, at=dict(cell["at"])) for i, cell in enumerate(cells)))
    asked = {"form": "robust", "compare": "columns", "measure": "accuracy", "cells": cells}
    found = verdicts(rows, registry(claim(question(**asked, densities=[], survivors=[20_000]))))
    assert found["reason"][0].startswith(
        "25-9 has 19,915 prunable weights, and 20,000 are asked to survive."
    )
    assert words(found) == ["not tested"]
    fewer = question(**asked, densities=[], survivors=[10_000])
    assert words(verdicts(rows, registry(claim(fewer)))) == ["supported"]


COUNTED = {
    "survivors": question(densities=[], survivors=[20_000, 60_000]),
    "number": question(
        form="numeric", measure="ticket_weights", densities=[], number=12_000, tolerance=0.25
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_numbers_of_weights_say_nothing_about_other_inputs(name):
    curve = {"accuracy": lambda d: 0.975 if d > 0.04 else 0.9}
    plain = verdicts(trial(**curve), registry(claim(COUNTED[name]))).iloc[0]
    assert plain["verdict"] != "not tested"
    pooled = verdicts(trial(at={"data.pool": 2}, **curve), registry(claim(COUNTED[name]))).iloc[0]
    assert pooled["reason"].startswith(
        "It counts weights of networks with the source's inputs, here data.pool is 2 instead of 1."
    )


LATE = {"late": lambda density: density < 1}


@pytest.mark.parametrize("measure", ["gain", "accuracy"])
def test_unfinished_trainings_refute_no_accuracy(measure):
    asked = question(measure=measure, cells=[lr(1e-3, weight=1), lr(2e-3, weight=-1)])
    worse = trial(at={"train.lr": 1e-3}, accuracy=rising(-0.005))
    for late, word in (({}, "contradicted"), (LATE, "inconclusive")):
        other = trial(1, at={"train.lr": 2e-3}, **late)
        found = verdicts(records(worse, other), registry(claim(asked))).iloc[0]
        assert found["verdict"] == word
    assert "had their early stop in the last tenth of training" in found["reason"]
    assert found["p_against"] == 1.0


def test_unfinished_trainings_refute_no_ticket_density():
    cells = [lr(1e-3, weight=1), lr(2e-3, weight=-1)]
    asked = question(measure="ticket_density", direction="down", densities=[], cells=cells)

    def until(end):
        return {"accuracy": lambda d: 0.99 if end <= d < 1 else 0.97 if d == 1 else 0.9}

    rows = records(
        trial(at={"train.lr": 1e-3}, **until(0.2)), trial(1, at={"train.lr": 2e-3}, **until(0.05))
    )
    rows.loc[(rows["level"] == 8) & (rows["replicate"] % 2 == 0), "test_accuracy"] += 0.09
    known = registry(claim(asked))
    for late, word in (
        (rows["level"] < 0, "contradicted"),
        (rows["level"] > 4, "inconclusive"),
        (rows["level"] == 0, "inconclusive"),
    ):
        assert words(verdicts(rows.assign(early_stop_at_end=late), known)) == [word]


def test_half_of_the_networks_or_the_dense_one_make_a_training_unfinished():
    bad = {"accuracy": rising(-0.005)}
    asked = registry(claim(question()))
    rows = trial(**bad)
    for late, word in ((3, "contradicted"), (4, "inconclusive")):
        some = rows.assign(early_stop_at_end=(rows["replicate"] < late) & (rows["level"] > 0))
        assert words(verdicts(some, asked)) == [word]
    dense = rows.assign(early_stop_at_end=rows["level"] == 0)
    assert words(verdicts(dense, asked)) == ["inconclusive"]
    # Read at the end, accuracies are what the claim is about.
    end = registry(claim(question(reads="end_test_accuracy")))
    assert words(verdicts(dense, end)) == ["contradicted"]


def test_support_by_unfinished_trainings_says_so():
    found = verdicts(trial(accuracy=rising(0.005), **LATE), registry(claim(question()))).iloc[0]
    assert found["verdict"] == "supported"
    assert "had their early stop in the last tenth of training" in found["reason"]


def test_a_question_of_long_trainings_is_left_out_of_short_ones():
    short = {"at": {"train.steps": 3_000}, "steps": lambda d: 1_500.0}
    plain = question(name="plain")
    long = question(name="long", densities=[0.07], least_steps=20_000)
    good, bad = trial(accuracy=rising(0.005), **short), trial(accuracy=rising(-0.005), **short)
    both = registry(claim(plain, long))
    found = verdicts(good, both).iloc[0]
    assert (found["verdict"], found["part"], found["p"]) == ("inconclusive", "plain", 1.0)
    assert found["reason"] == (
        "The other parts hold. 'long' is not tested: It needs trainings of 20,000 steps, these are "
        "of 3,000."
    )
    assert words(verdicts(bad, both)) == ["contradicted"]
    assert words(verdicts(trial(accuracy=rising(0.005)), both)) == ["supported"]
    alone = verdicts(good, registry(claim(long))).iloc[0]
    assert alone["verdict"] == "not tested"
    assert "It needs trainings of 20,000 steps" in alone["reason"]


def test_a_claim_is_not_judged_where_what_it_presumes_is_not_found():
    pattern = claim(question(name="gain"), id="P")
    swept = claim(question(compare="each", cells=[lr(1e-3), lr(2e-3)]), id="S", presumes="P: gain")
    known = registry(pattern, swept)
    tried = [trial(i, at={"train.lr": i * 1e-3}, accuracy=rising(0.005)) for i in (1, 2)]
    worse = [tried[0], trial(2, at={"train.lr": 2e-3}, accuracy=rising(-0.005))]
    there, absent = trial(accuracy=rising(0.005)), trial(accuracy=flat)
    assert words(verdicts(records(there, *tried), known)) == ["supported", "supported"]
    assert words(verdicts(records(there, *worse), known)) == ["supported", "contradicted"]
    for rows, word in ((tried, "supported"), (worse, "contradicted")):
        found = verdicts(records(absent, *rows), known).iloc[1]
        assert (found["verdict"], found["p"], found["p_against"]) == ("inconclusive", 1, 1)
        assert found["reason"].startswith("At the source's own setting 'gain' of P is ")
        assert found["reason"].endswith(f"Without that it would be {word}.")
    alone = verdicts(records(*tried), known).iloc[1]
    assert "'gain' of P is not tested here. The records lack 1 of 1 cells" in alone["reason"]


def test_cells_may_vary_the_length_of_training():
    cells = [
        {"name": "long", "at": {"train.steps": 50_000}, "weight": 1},
        {"name": "short", "at": {"train.steps": 3_000}, "weight": -1},
    ]
    rows = records(
        trial(accuracy=rising(0.005)), trial(1, at={"train.steps": 3_000}, accuracy=flat)
    )
    found = verdicts(rows, registry(claim(question(cells=cells), least_steps=20_000))).iloc[0]
    assert (found["verdict"], found["scale"][:12]) == ("supported", "varied steps")


def test_a_cell_of_a_transfer_is_that_of_its_target():
    taken = {"name": "taken", "branch": "transfer", "at": {"target.data": "fashion-mnist"}}
    new = taken | {"name": "new", "branch": "transfer_reinit"}
    asked = question(measure="accuracy", cells=[taken | {"weight": 1}, new | {"weight": -1}])

    def of(data):
        at = {"target.data": data}
        pair = [
            trial(branch="transfer", at=at, accuracy=lambda d: 0.9),
            trial(branch="transfer_reinit", at=at, accuracy=lambda d: 0.88),
        ]
        return records(pair[0], pair[1][pair[1]["branch"] != "trunk"])

    assert words(verdicts(of("fashion-mnist"), registry(claim(asked)))) == ["supported"]
    assert words(verdicts(of("digits"), registry(claim(asked)))) == ["not tested"]


def test_a_network_of_ones_own_is_no_lenet_whatever_its_file_is_called():
    names = ("conv-2", "lenet-like.py:network", "lenet-300-100")
    rows = [trial(accuracy=rising(0.005)).assign(**{"model.name": name}) for name in names]
    found = [judged(one, confirmatory("A", question())).iloc[0]["verdict"] for one in rows]
    assert found[0] == found[1] != found[2]
