"""Augmented pictures in the sparse engine: those of the torch engine, trained as in float64."""

import dataclasses

import numpy as np
import pytest
import torch
from own_networks import GREY, MLP, made, written

from lttune.config import ModelConfig, TrainConfig
from lttune.config.presets import RESNET_20, RESNET_20_LOW, RESNET_20_WARMUP
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.augmentation import AUGMENTATIONS, augmented
from lttune.data.resident import Examples, resident
from lttune.models import build
from lttune.models.masks import apply
from lttune.training.engines import Needs, choose
from lttune.training.engines.torch import TorchEngine
from lttune.training.protocol import Material, Member

pytest.importorskip("numba")
from residual_steps import Exact, opened, resnet
from sparse_steps import Reference, batches, errors, pictures, random_mask, start_of

from lttune.training.engines.sparse.engine import SparseEngine

# The first use on a machine compiles for about a minute.
pytestmark = pytest.mark.timeout(240)

KINDS = [name for name in AUGMENTATIONS if name != "none"]
SHAPES = [(8, 8), (3, 6, 9)]
SGD = TrainConfig(optimizer="sgd", lr=0.1, steps=12, eval_every=5, batch_size=32)
POOL, TEST = resident(load("digits"))
RESNET = resnet((8, 8))
NETWORKS = {
    "linear": build(ModelConfig(name="lenet-70-20"), (8, 8), 10),
    "convolutions": build(ModelConfig(name="conv-2"), (8, 8), 10),
    "residual": RESNET,
}


def start(network):
    return opened(network) if network.buffers else start_of(network)


def moving(examples, augment="flip-crop"):
    return dataclasses.replace(examples, augment=augment)


def noise(replicate=0):
    return stream(0, replicate, "order-noise", 3)


class Seen:
    """Stands in a session's place and keeps the inputs and classes of its steps."""

    def __init__(self):
        self.steps = []

    def run(self, examples, order, rates):
        self.steps += [examples.batch(index) for index in order]


def seen_by_torch(network, examples, order, rng):
    """What the steps of the torch engine are given."""
    mask = random_mask(network, 1.0)
    session = TorchEngine().open(network, apply(start(network), mask), mask, SGD, rng)
    seen = []
    session._step = lambda x, y: seen.append((x, y))
    session.run(examples, order, [0.1] * len(order))
    return seen


def seen_by_sparse(network, examples, order, rng):
    session = SparseEngine().open(network, start(network), random_mask(network, 1.0), SGD, rng)
    session._session = seen = Seen()
    session.run(examples, order[:2], [0.1] * 2)
    session.run(examples, order[2:], [0.1] * (len(order) - 2))
    return seen.steps


@pytest.mark.parametrize("augment", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_pictures_are_those_of_the_torch_engine_bit_for_bit(shape, augment):
    examples, order = moving(pictures(POOL, shape), augment), [*batches(4, 32), *batches(1, 7)]
    network, (ours, theirs) = resnet(shape), (noise(), noise())
    expected = seen_by_torch(network, examples, order, theirs)
    found = seen_by_sparse(network, examples, order, ours)
    assert len(found) == len(expected) == 5
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    # As many numbers were drawn.
    assert ours.random() == theirs.random()
    plain = examples.batch(order[0])[0]
    assert not torch.equal(found[0][0], plain)


def test_they_are_for_a_network_of_ones_own_too(tmp_path):
    # The torch engine draws a seed for PyTorch's generators first.
    network, order = made(written(tmp_path, MLP), GREY), batches(3, 32)
    assert network.source
    found, expected = (
        see(network, moving(POOL), order, noise()) for see in (seen_by_sparse, seen_by_torch)
    )
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one[0], other[0])


@pytest.mark.parametrize("density", [1.0, 0.3, 0.05])
@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_step_is_that_of_float64_on_these_pictures(network, density):
    mask, first, [index] = random_mask(network, density), start(network), batches(1, 37)
    x = augmented(POOL.x[index], "flip-crop", noise())
    exact = (Exact if network.buffers else Reference)(network, first, mask, SGD)
    drawn = Examples(x, POOL.y[index], POOL.shift, POOL.gain)
    exact.run(drawn, [torch.arange(len(index))])
    session = SparseEngine().open(network, first, mask, SGD, noise())
    session.run(moving(POOL), [index], [SGD.lr])
    found = errors(session.weights(), exact.weights)
    assert max(found.values()) < (1e-5 if exact.nearest > 1e-6 else 1e-3)


def member(network, replicate, observe=None, augment="flip-crop"):
    few = POOL.take(np.arange(60))
    material = Material(
        pool=moving(POOL, augment),
        train=np.arange(200),
        validation=TEST,
        test=TEST,
        train_sample=few,
        classes=10,
    )
    mask = random_mask(network, 0.5)
    return Member(
        network=network,
        start=apply(start(network), mask),
        mask=mask,
        config=SGD,
        material=material,
        order=stream(0, replicate, "order", 3),
        noise=noise(replicate),
        observe=observe,
    )


def same(one, other):
    return all(torch.equal(value, other.weights[name]) for name, value in one.weights.items()) and (
        one.history == other.history
    )


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_member_is_trained_to_the_same_bytes_whoever_is_beside_it(network):
    together = SparseEngine().train([member(network, 0), member(RESNET, 1), member(network, 1)])
    alone = [SparseEngine().train([member(network, replicate)])[0] for replicate in (0, 1)]
    assert same(together[0], alone[0])
    assert same(together[2], alone[1])
    assert not same(alone[0], alone[1])
    plain = SparseEngine().train([member(network, 0, augment="none")])[0]
    assert not same(alone[0], plain)


def test_sessions_in_turn_draw_from_their_own_streams():
    mask, order = random_mask(RESNET, 0.3), batches(4, 32)

    def session(replicate):
        return SparseEngine().open(RESNET, opened(RESNET), mask, SGD, noise(replicate))

    alone, first, second = session(0), session(0), session(1)
    alone.run(moving(POOL), order, [0.1] * 4)
    for index in order:
        first.run(moving(POOL), [index], [0.1])
        second.run(moving(POOL), [index], [0.1])
    assert all(torch.equal(first.weights()[name], v) for name, v in alone.weights().items())


@pytest.mark.parametrize("preset", [RESNET_20, RESNET_20_LOW, RESNET_20_WARMUP])
def test_auto_takes_it_for_presets_that_augment(preset):
    assert preset.data.augment == "flip-crop"
    cifar = dataclasses.replace(load("digits"), mean=(0.4, 0.5, 0.4), std=(0.2, 0.2, 0.2))
    network = build(preset.model, (3, 32, 32), 10)
    needs = Needs(device="cpu", networks=[network], configs=[preset], datasets=[cifar])
    assert choose("auto", needs) == ("sparse", "")


class KilledError(Exception):
    """Ends a training in the middle."""


def test_a_level_that_was_killed_in_the_middle_is_trained_again_to_the_same_bytes():
    def killed(step, weights):
        if step >= 5:
            raise KilledError

    engine = SparseEngine()
    whole = engine.train([member(RESNET, 0)])[0]
    with pytest.raises(KilledError):
        engine.train([member(RESNET, 0, killed)])
    # A level begins again at its beginning, with its stream.
    assert same(engine.train([member(RESNET, 0)])[0], whole)
    # Its pictures are the stream's alone.
    assert not same(engine.train([member(RESNET, 0, augment="flip")])[0], whole)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_what_is_measured_is_never_augmented(network):
    mask, rng = random_mask(network, 0.5), noise()
    session = SparseEngine().open(network, start(network), mask, SGD, rng)
    assert session.evaluate(moving(TEST)) == session.evaluate(TEST)
    assert rng.random() == noise().random()
    found, plain = (
        SparseEngine().train([member(network, 0, augment=augment)])[0]
        for augment in ("flip-crop", "none")
    )
    assert found.history[0] == plain.history[0]
    assert found.history[-1] != plain.history[-1]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_a_stream_changes_nothing_where_pictures_are_not_augmented(network):
    mask, order, rng = random_mask(network, 0.5), batches(3, 32), noise()
    found = []
    for stream_or_none in (None, rng):
        session = SparseEngine().open(network, start(network), mask, SGD, stream_or_none)
        session.run(POOL, order, [0.1] * 3)
        found.append(session.weights())
    assert all(torch.equal(found[1][name], value) for name, value in found[0].items())
    assert rng.random() == noise().random()
