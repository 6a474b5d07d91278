"""Faults found in open_lth and google-research's code by reading and running them."""

import dataclasses
import math
import random

import numpy as np
import pytest
import torch
from evidences import DIGITS as EXAMPLES
from evidences import network as network_named
from peer_faults import (
    CONFIG,
    DIGITS,
    LENET,
    Recording,
    above,
    lab_in,
    pruned_once,
    trained,
    walked,
)
from torch.nn import functional

from lttune.config import PruneConfig
from lttune.config.seeding import stream
from lttune.models import build, masks
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import network_of


def test_open_lth_removes_one_too_many_and_counts_layers_that_it_ignores():
    """LeNet-300-100 lost 53,241 weights at level 1: ceil(0.2 * 266,200) + 1, fc.weight ignored."""
    rule = PruneConfig(scope="global", exclude=("out",))
    network = build(LENET, (28, 28), 10).excluding(rule.exclude)
    weights = network.initial_weights(stream(0, 0, "init"))
    mask = masks.ones(weights, network.prunable)
    after = prune(evidence_of(weights, mask, network), rule)
    assert masks.prunable(mask) == 265_200
    assert 265_200 - masks.surviving(after) == 53_040
    values = torch.cat([weights[name].abs().flatten() for name in mask])
    assert 265_200 - int(above(values, math.ceil(0.2 * 266_200)).sum()) == 53_241


def test_open_lth_removes_every_tie():
    """A strict threshold removes all weights that equal it."""
    weights = {"fc1.weight": torch.full((50,), 0.3)}
    mask = pruned_once(weights, PruneConfig(fraction=0.2, fractions={}))
    assert masks.surviving(mask) == 40
    assert int(above(weights["fc1.weight"].abs(), 10).sum()) == 0


def test_open_lth_prunes_too_much_at_high_sparsity_and_then_breaks():
    """Its count included ignored layers, so that in the end it asked for more than there was."""
    network = network_named("lenet-12-8").excluding(("fc1",))
    weights = network.initial_weights(stream(0, 0, "init"))
    rule = PruneConfig(scope="global", fraction=0.5)
    mask, left = masks.ones(weights, network.prunable), 12 * 8 + 8 * 10
    for _ in range(12):
        mask = prune(evidence_of(weights, mask, network), rule)
        left -= left // 2
        assert masks.surviving(mask) == left
    assert left == 1


def test_open_lth_cannot_resume_and_a_killed_run_has_no_metrics(levels, tmp_path):
    """torch >= 2.6 refuses its checkpoint, and metrics were written at the end only."""
    with pytest.raises(KeyboardInterrupt):
        walked(lab_in(tmp_path, Recording(fail_at=2)))
    engine = Recording()
    resumed = walked(lab_in(tmp_path, engine))
    assert len(engine.sessions) == 2  # Levels 0 and 1 are there, with their measures.
    for one, two in zip(levels, resumed, strict=True):
        assert one.stored.cell.record == two.stored.cell.record
        assert all(torch.equal(trained(one)[name], trained(two)[name]) for name in trained(one))


def test_open_lth_the_same_ticket_trained_twice_differs(levels, tmp_path):
    """No generator was seeded: one level-2 ticket gave 95.03 % and 94.96 %."""
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        again = walked(lab_in(tmp_path / str(seed)))[2]
        assert again.stored.cell.record == levels[2].stored.cell.record
        one, two = trained(again), trained(levels[2])
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_open_lth_a_replicate_is_only_the_name_of_a_folder(lab, levels):
    """Nothing was drawn from --replicate."""
    other = walked(lab, replicate=1)[0]
    assert not torch.equal(other.ticket.start["fc1.weight"], levels[0].ticket.start["fc1.weight"])
    assert set(lab.material(CONFIG, 0).train) != set(lab.material(CONFIG, 1).train)


def test_open_lth_masks_hold_in_the_forward_pass_only():
    """The optimizer moved masked weights; a model saved before the next forward had them."""
    network = network_named("lenet-12-8")
    start = network.initial_weights(stream(0, 0, "init"))
    mask = {n: torch.arange(start[n].numel()).view_as(start[n]) % 2 == 0 for n in network.prunable}
    session = TorchEngine().open(network, masks.apply(start, mask), mask, CONFIG.train)
    session.run(EXAMPLES, [torch.arange(50)], [0.1])
    after = session.weights()
    assert all((after[name][~keep] == 0).all() for name, keep in mask.items())
    module = network.make()
    module.load_state_dict(masks.apply(start, mask))
    x, y = EXAMPLES.batch(torch.arange(50))
    functional.cross_entropy(module(x), y).backward()
    torch.optim.SGD(module.parameters(), 0.1, momentum=0.9).step()
    assert all(module.get_parameter(name)[~keep].any() for name, keep in mask.items())


def test_open_lth_and_rahulsmehta_and_uber_choose_by_the_test_set(levels, tmp_path):
    """None had a validation split in use: masks, steps and stopping saw the test set."""
    other = dataclasses.replace(DIGITS, test_y=np.roll(DIGITS.test_y, 1))
    found = walked(lab_in(tmp_path, dataset=other))
    for one, two in zip(levels, found, strict=True):
        a, b = one.stored.cell.record["measures"], two.stored.cell.record["measures"]
        assert a["early_stop_step"] == b["early_stop_step"]
        assert all(torch.equal(k, two.ticket.mask[n]) for n, k in one.ticket.mask.items())
        assert a["test_accuracy"] > b["test_accuracy"] + 0.3


def test_open_lth_a_task_of_four_classes_has_ten_outputs():
    """A forgotten return left the number of outputs at the model's default."""
    rotation = CONFIG.override({"data.task": "rotation"})
    assert network_of(rotation, DIGITS).shapes["out.weight"] == (4, 10)


# google-research/lottery-ticket-hypothesis


@pytest.mark.parametrize(("fraction", "expected"), [(0.25, 1), (0.5, 2), (0.9, 3)])
def test_google_off_by_one(fraction, expected):
    """``<=`` the value at place round(p n) removed round(p n) + 1."""
    weights = {"fc1.weight": torch.tensor([0.4, 0.1, 0.3, 0.2])}
    mask = pruned_once(weights, PruneConfig(fraction=fraction, fractions={}))
    assert 4 - masks.surviving(mask) == expected
    if fraction < 0.9:
        assert 4 - int(above(weights["fc1.weight"], round(fraction * 4)).sum()) == expected + 1


def test_google_the_intersection_corrupts_its_first_argument():
    """It multiplied in place."""
    one = {"fc1.weight": torch.tensor([True, True])}
    assert masks.intersection(one, {"fc1.weight": torch.tensor([False, True])})
    assert one["fc1.weight"].tolist() == [True, True]
