"""Faults found in uber-research's, rahulsmehta's and PyTorch's code by reading and running them."""

import copy
import random

import numpy as np
import pytest
import torch
from evidences import DIGITS as EXAMPLES
from evidences import network as network_named
from peer_faults import CONFIG, lab_in, pruned_once, trained, walked
from torch.nn import functional
from torch.nn.utils import prune as torch_prune

from lttune.config import PruneConfig
from lttune.config.seeding import stream
from lttune.models import masks
from lttune.models.layers import Output, kind
from lttune.pruning.densities import planned_densities
from lttune.training.engines.torch import TorchEngine

# uber-research/deconstructing-lottery-tickets


def test_uber_masks_depend_on_an_unseeded_generator(tmp_path):
    """Ties, random masks and shuffles came from generators that nothing had seeded."""
    config = CONFIG.override({"prune.criterion": "random", "kept": "permute", "levels": 2})
    found = []
    for seed in (1, 2):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        found.append(walked(lab_in(tmp_path / str(seed)), config)[-1].ticket)
    assert all(torch.equal(k, found[1].mask[n]) for n, k in found[0].mask.items())
    assert all(torch.equal(v, found[1].start[n]) for n, v in found[0].start.items())


def test_uber_snip_ends_after_one_level(tmp_path):
    """Gradients were written by the dense training only; level 2 crashed."""
    found = walked(lab_in(tmp_path), CONFIG.override({"prune.criterion": "snip"}))
    planned = planned_densities(CONFIG, found[0].junction.network)
    assert [masks.density(level.ticket.mask) for level in found] == planned


def test_uber_permutations_pile_up(tmp_path):
    """Each level permuted the last level's start; here always the initial values."""
    config = CONFIG.override({"kept": "permute"})
    for level in walked(lab_in(tmp_path), config)[1:]:
        for name, keep in level.ticket.mask.items():
            initial = level.junction.initial[name][keep]
            start = level.ticket.start[name][keep]
            assert torch.equal(start.sort().values, initial.sort().values)
            assert not torch.equal(start, initial)


def test_uber_stores_every_weight_in_float64_at_every_evaluation(levels):
    """One gigabyte a LeNet run; here a cell keeps its survivors, once."""
    for level in levels:
        values = [t for n, t in level.stored.cell.tensors.items() if n.startswith("weights/")]
        biases = 20 + 10 + 10
        assert sum(t.numel() for t in values) == masks.surviving(level.ticket.mask) + biases
        assert {t.dtype for t in values} == {torch.float32}


# rahulsmehta/sparsity-experiments


def test_rahulsmehta_batch_norm_stays_in_evaluation_after_an_evaluation():
    """Every ``log`` steps it evaluated, and never went back to training."""
    network = network_named("normed")
    start = network.initial_weights(stream(0, 0, "init"))
    mask = masks.ones(start, network.prunable)
    batches, found = [torch.arange(i, i + 40) for i in range(6)], []
    for measured in (False, True):
        session = TorchEngine().open(network, start, mask, CONFIG.train)
        for batch in batches:
            session.run(EXAMPLES, [batch], [0.1])
            if measured:
                session.evaluate(EXAMPLES)
        found.append(session.weights())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    assert any(not torch.equal(found[0][name], start[name]) for name in network.buffers)


@pytest.mark.parametrize("count", [1, 999, 1_000, 1_001, 1_437])
def test_rahulsmehta_the_accuracy_divides_by_whole_batches(count):
    """It divided by batches times batch size, and so under-reported a short last batch."""
    network = network_named("lenet-12-8")
    weights = network.initial_weights(stream(0, 0, "init"))
    mask = masks.ones(weights, network.prunable)
    some = EXAMPLES.take(np.arange(count))
    module = network.make()
    module.load_state_dict(weights)
    logits = module(some.slice(0, count)[0]).detach()
    right = int((logits.argmax(1) == some.y).sum())
    loss, accuracy = TorchEngine().open(network, weights, mask, CONFIG.train).evaluate(some)
    assert accuracy == right / count
    assert loss == pytest.approx(float(functional.cross_entropy(logits, some.y)), rel=1e-5)


def test_rahulsmehta_chooses_layers_by_their_names():
    """A "classifier" was pruned although it gives the logits, and batch norm as if it had weights.

    Its types say what a layer is: here their names are numbers.
    """
    assert kind(Output(3, 2)) == "out"
    assert kind(torch.nn.BatchNorm2d(3)) is kind(torch.nn.BatchNorm1d(3)) is None
    network = network_named("normed")
    assert network.prunable == ["1.weight", "6.weight", "9.weight"]
    assert planned_densities(CONFIG, network)[1] == pytest.approx(
        (31.5 + 504 + 76.5) / 855, abs=2 / 855
    )


def test_rahulsmehta_a_new_optimizer_every_epoch_forgets_the_momentum():
    """Within a level the optimizer is one: epochs and evaluations do not restart it."""
    network = network_named("lenet-12-8")
    start = network.initial_weights(stream(0, 0, "init"))
    mask = masks.ones(start, network.prunable)
    batches, found = [torch.arange(i, i + 40) for i in range(4)], []
    for parts in ([batches], [batches[:2], batches[2:]]):
        session = TorchEngine().open(network, start, mask, CONFIG.train)
        for part in parts:
            session.run(EXAMPLES, part, [0.1] * len(part))
        found.append(session.weights())
    forgetful = TorchEngine().open(network, start, mask, CONFIG.train)
    forgetful.run(EXAMPLES, batches[:2], [0.1] * 2)
    again = TorchEngine().open(network, forgetful.weights(), mask, CONFIG.train)
    again.run(EXAMPLES, batches[2:], [0.1] * 2)
    assert all(torch.equal(found[0][name], found[1][name]) for name in start)
    assert not torch.equal(again.weights()["fc1.weight"], found[0]["fc1.weight"])


def test_rahulsmehta_and_grantgasser_what_is_zero_is_taken_for_pruned():
    """Both counted ``w != 0``. A surviving weight may be zero."""
    weights = {"fc1.weight": torch.tensor([0.0, 0.0, 1.0, 2.0])}
    mask = pruned_once(weights, PruneConfig(fraction=0.5, fractions={}))
    assert mask["fc1.weight"].tolist() == [False, False, True, True]
    mask = pruned_once(weights, PruneConfig(fraction=0.25, fractions={}))
    assert masks.density(mask) == 0.75


def test_rahulsmehta_test_pictures_are_augmented(lab):
    """Fashion-MNIST's test set was cropped and flipped like the training set."""
    found = lab.material(CONFIG.override({"data.augment": "flip-crop"}), 0)
    assert found.pool.augment == "flip-crop"
    assert found.validation.augment == found.test.augment == found.train_sample.augment == "none"


# torch.nn.utils.prune and its tutorial
def test_torch_ranks_the_weights_of_before_the_step():
    """It ranks the attribute that the last forward pass computed, not the parameter."""
    module = torch.nn.Linear(4, 1, bias=False)
    module.weight.data = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    torch_prune.identity(module, "weight")
    module.weight_orig.data = torch.tensor([[0.4, 0.3, 0.2, 0.1]])  # What a step does.
    torch_prune.l1_unstructured(module, "weight", amount=2)
    config = PruneConfig(fraction=0.5, fractions={})
    mask = pruned_once({"fc1.weight": module.weight_orig.data}, config)
    assert mask["fc1.weight"].tolist() == [[True, True, False, False]]
    assert module.weight_mask.bool().tolist() == [[False, False, True, True]]


def test_torch_remove_forgets_the_mask():
    """After ``remove`` an amount counts the zeros: 60 % and then 40 % leave 40 %, not 24 %."""
    weights = {"fc1.weight": torch.randn(10, 10, generator=torch.Generator().manual_seed(0))}
    module = torch.nn.Linear(10, 10, bias=False)
    module.weight.data = weights["fc1.weight"].clone()
    mask = None
    for amount in (0.6, 0.4):
        torch_prune.l1_unstructured(module, "weight", amount=amount)
        torch_prune.remove(module, "weight")
        mask = pruned_once(weights, PruneConfig(fraction=amount, fractions={}), mask)
        weights = masks.apply(weights, mask)
    assert int(module.weight.count_nonzero()) == 40
    assert masks.surviving(mask) == 24


def test_torch_a_pruned_network_cannot_be_copied_nor_loaded_plainly(levels):
    """Its hooks rename the parameters: deepcopy fails, and a plain module refuses the state."""
    level = levels[2]
    copied = copy.deepcopy(level.ticket)
    assert all(torch.equal(v, copied.start[n]) for n, v in level.ticket.start.items())
    module = level.junction.network.make()
    module.load_state_dict(trained(level), strict=True)
    assert torch.equal(copy.deepcopy(module).fc1.weight, trained(level)["fc1.weight"])
