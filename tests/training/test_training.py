import dataclasses
import math

import numpy as np
import pytest
import torch

from lttune.config import ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import resident
from lttune.errors import ConfigError
from lttune.models import build, masks
from lttune.training.engines.torch import TorchEngine
from lttune.training.protocol import Material, Member, follow
from lttune.training.schedule import batches, evaluation_steps, rate

CONFIG = TrainConfig(lr=2e-3, batch_size=50, steps=60, eval_every=20)


@pytest.fixture(scope="module")
def material():
    pool, test = resident(load("digits"))
    index = np.arange(1437)
    return Material(
        pool=pool,
        train=index[:1200],
        validation=pool.take(index[1200:]),
        test=test,
        train_sample=pool.take(index[:300]),
        classes=10,
    )


NETWORK = build(ModelConfig(name="lenet-24-12"), (8, 8), 10)


def run(material, config=CONFIG, session=None, **options):
    start = NETWORK.initial_weights(stream(0, 0, "init"))
    member = Member(
        network=NETWORK,
        start=start,
        mask=masks.ones(start, NETWORK.prunable),
        config=config,
        material=material,
        order=stream(0, 0, "order"),
        noise=stream(0, 0, "noise"),
        **options,
    )
    return TorchEngine().train([member])[0] if session is None else follow(session, member)


class Scripted:
    """A session whose validation losses are given: what the protocol makes of them is the test."""

    def __init__(self, losses, validation):
        self.losses, self.validation, self.steps, self.rates = list(losses), validation, 0, []

    def run(self, examples, order, rates):
        self.steps += len(order)
        self.rates += rates

    def evaluate(self, examples):
        if examples is self.validation:
            return self.losses.pop(0), self.steps / 1000
        return 1.0, self.steps / 1000

    def weights(self):
        return {"at": torch.tensor(self.steps)}

    def load(self, weights):
        self.steps = int(weights["at"])


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9, 3, 2, 1], 60),
        ([9, 1, 2, 3], 20),
        ([9, 2, 1, 1], 40),
        ([9, 1, 1, 1], 20),
        ([1, 2, 3, 4], 0),
    ],
)
def test_the_early_stop_step_is_the_first_minimum_found_afterwards(losses, expected, material):
    session = Scripted(losses, material.validation)
    trained = run(material, session=session)
    measures = trained.measures
    assert measures["early_stop_step"] == expected
    assert measures["early_stop_at_end"] == (expected == 60)
    assert measures["steps_trained"] == 60
    # Test and training accuracy are those of the weights at that step; the end's are the end's.
    assert measures["test_accuracy"] == measures["train_accuracy"] == expected / 1000
    assert measures["val_accuracy"] == expected / 1000
    assert measures["end_test_accuracy"] == measures["end_train_accuracy"] == 60 / 1000
    assert int(trained.weights["at"]) == 60


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_divergence_ends_training_and_is_a_result(bad, material):
    session = Scripted([2.0, 1.5, bad], material.validation)
    trained = run(material, session=session)
    measures = trained.measures
    assert measures["diverged"]
    assert measures["steps_trained"] == 40
    assert measures["early_stop_step"] == 20
    assert measures["end_test_accuracy"] == measures["end_val_accuracy"] == 0.1
    assert measures["end_val_loss"] is None
    assert trained.history[-1]["val_loss"] is None


def test_a_network_that_never_had_a_finite_loss_is_at_chance(material):
    trained = run(material, session=Scripted([math.nan], material.validation))
    assert trained.measures["test_accuracy"] == trained.measures["val_accuracy"] == 0.1
    assert trained.measures["early_stop_step"] == 0


def test_a_learning_rate_far_too_high_diverges_for_real(material):
    config = TrainConfig(optimizer="sgd", lr=1e8, batch_size=50, steps=60, eval_every=20)
    trained = run(material, config)
    assert trained.measures["diverged"]
    assert trained.measures["end_test_accuracy"] == 0.1


@pytest.mark.parametrize(
    ("steps", "every", "first", "expected"),
    [
        (60, 20, 0, [0, 20, 40, 60]),
        (50, 20, 0, [0, 20, 40, 50]),
        (60, 20, 25, [25, 40, 60]),
        (60, 20, 20, [20, 40, 60]),
        (60, 60, 0, [0, 60]),
    ],
)
def test_evaluations_keep_the_cadence_and_include_first_and_last(steps, every, first, expected):
    assert evaluation_steps(TrainConfig(steps=steps, eval_every=every), first) == expected


def test_every_epoch_is_a_new_order_of_all_examples_with_a_partial_last_batch():
    order = batches(np.arange(100, 110), 4, np.random.default_rng(0))
    epochs = [[next(order) for _ in range(3)] for _ in range(3)]
    assert [[len(batch) for batch in epoch] for epoch in epochs] == [[4, 4, 2]] * 3
    flat = [torch.cat(epoch).tolist() for epoch in epochs]
    assert all(sorted(epoch) == list(range(100, 110)) for epoch in flat)
    assert len({tuple(epoch) for epoch in flat}) == 3


def test_a_milestone_holds_from_its_own_step_on():
    config = TrainConfig(lr=1.0, steps=90, eval_every=30, milestones=(30, 60), decay=0.5)
    rates = [rate(config, step) for step in (0, 29, 30, 59, 60, 89)]
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_a_cosine_falls_from_the_learning_rate_to_0_after_the_warmup():
    config = TrainConfig(lr=0.4, steps=12, eval_every=1, warmup_steps=4, schedule="cosine")
    found = [rate(config, step) for step in range(12)]
    assert found[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    assert found[8] == pytest.approx(0.2)
    assert found[11] == pytest.approx(0.4 * np.cos(7 * np.pi / 16) ** 2)
    with pytest.raises(ConfigError, match=r"^train\.milestones must be left out where train\.sch"):
        dataclasses.replace(config, milestones=(3,))


def test_warmup_rises_linearly_to_the_learning_rate():
    config = TrainConfig(lr=0.1, warmup_steps=4, steps=10, eval_every=5)
    assert [rate(config, step) for step in range(6)] == pytest.approx(
        [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    )


def test_a_rewound_training_goes_on_at_its_step_of_the_schedule(material):
    session = Scripted([3, 2, 1, 1], material.validation)
    config = TrainConfig(lr=1.0, warmup_steps=40, batch_size=50, steps=60, eval_every=20)
    trained = run(material, config, session=session, first_step=30)
    assert trained.measures["steps_trained"] == 30
    assert session.rates[0] == pytest.approx(31 / 40)
    assert [entry["step"] for entry in trained.history] == [30, 40, 60]


@pytest.mark.parametrize("step", [7, 20, 33, 60])
def test_the_snapshot_is_the_weights_after_that_step_and_changes_nothing(step, material):
    with_snapshot = run(material, snapshot_steps=(step,))
    without = run(material)
    assert all(torch.equal(with_snapshot.weights[n], without.weights[n]) for n in without.weights)
    assert with_snapshot.history == without.history
    short = TrainConfig(lr=2e-3, batch_size=50, steps=step, eval_every=min(step, 20))
    expected = run(material, short).weights
    assert list(with_snapshot.snapshots) == [step]
    snapshot = with_snapshot.snapshots[step]
    assert all(torch.equal(snapshot[name], expected[name]) for name in expected)


def test_several_snapshots_are_those_of_each_step_alone(material):
    steps = (0, 7, 13, 20)
    together = run(material, snapshot_steps=steps).snapshots
    assert tuple(together) == steps
    for step in steps:
        (alone,) = run(material, snapshot_steps=(step,)).snapshots.values()
        assert all(torch.equal(alone[name], together[step][name]) for name in alone)
    assert not torch.equal(together[7]["fc1.weight"], together[13]["fc1.weight"])


def test_measuring_the_test_set_less_often_gives_the_same_result(material):
    rare = TrainConfig(lr=2e-3, batch_size=50, steps=60, eval_every=20, eval_test=False)
    often, seldom = run(material), run(material, rare)
    assert often.measures == seldom.measures
    assert "test_accuracy" in often.history[1]
    assert "test_accuracy" not in seldom.history[1]


def test_the_same_streams_give_the_same_bytes(material):
    first, second = run(material), run(material)
    assert first.measures == second.measures
    assert first.history == second.history
    assert all(torch.equal(first.weights[n], second.weights[n]) for n in first.weights)


def test_it_learns(material):
    config = TrainConfig(lr=5e-3, batch_size=50, steps=300, eval_every=50)
    measures = run(material, config).measures
    assert measures["test_accuracy"] > 0.9
    assert measures["start_val_accuracy"] < 0.4
