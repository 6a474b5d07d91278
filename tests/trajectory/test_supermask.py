"""Masks learned on weights that are not trained."""

import math

import pytest
import torch
from torch.nn import functional

from lttune.config import (
    DataConfig,
    LotteryConfig,
    ModelConfig,
    SupermaskConfig,
    TrainConfig,
)
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import resident
from lttune.errors import ConfigError
from lttune.models import build, masks
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.training.engines.torch.supermask import SupermaskSession
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import planned_densities, trajectories
from lttune.trajectory.supermasks import fixed_weights, identity, training
from lttune.trajectory.task import weights_of
from lttune.trajectory.trial import run_trial

CONFIG = LotteryConfig(
    levels=1,
    method="supermask",
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-100-50"),
    train=TrainConfig(steps=150, eval_every=50, eval_train=0),
    supermask=SupermaskConfig(lr=20, samples=3),
)
DIGITS = load("digits")
POOL = resident(DIGITS)[0]
NETWORK = build(CONFIG.model, (8, 8), 10)
INITIAL = NETWORK.initial_weights(stream(0, 0, "init"))


@pytest.fixture
def lab(tmp_path):
    return Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))


def session(config=CONFIG, weights=INITIAL):
    noise = stream(0, 0, "noise")
    device = torch.device("cpu")
    return SupermaskSession(NETWORK, weights, training(config), config.supermask, device, noise)


def batches(count):
    rng = stream(0, 0, "order")
    return [torch.from_numpy(rng.choice(1437, 60, replace=False)) for _ in range(count)]


def test_a_mask_on_untrained_weights_is_far_above_chance(lab):
    dense, level = (levels[0] for levels in trajectories(CONFIG, [0], lab))
    measures = level.stored.cell.record["measures"]
    assert measures["start_val_accuracy"] < 0.3 < 0.7 < measures["test_accuracy"]
    assert (dense.last, level.last) == (False, True)
    assert 0.3 < masks.density(level.ticket.mask) < 0.7
    initial = lab.network(CONFIG).initial_weights(stream(0, 0, "init"))
    for name, keep in level.ticket.mask.items():
        assert torch.equal(level.ticket.start[name], initial[name] * keep)


def test_the_weights_stay_and_the_logits_move():
    learned = session()
    learned.run(POOL, batches(5), [20.0] * 5)
    after = learned.weights()
    for name, value in INITIAL.items():
        if name in NETWORK.prunable:
            assert (after[name] != 0).float().mean() > 0.1
        else:
            assert torch.equal(after[name], value)


def test_the_gradient_is_that_of_the_chance():
    # The gradient of a logit is w * dL/dw * p (1 - p), taken at the drawn weights.
    config = CONFIG.override({"supermask.logit": 6.0, "supermask.rescale": False})
    learned, index = session(config), batches(1)
    module = NETWORK.make()
    module.load_state_dict(INITIAL)
    learned._drawing.manual_seed(3)
    values = learned._drawn(learned._drawing)
    x, y = POOL.batch(index[0])
    module.load_state_dict({n: v.detach() for n, v in values.items()})
    torch.nn.functional.cross_entropy(module(x), y).backward()
    learned._drawing.manual_seed(3)
    before = learned.weights()
    learned.run(POOL, index, [1.0])
    chance = torch.sigmoid(torch.tensor(6.0))
    gradients = dict(module.named_parameters())
    for name in NETWORK.prunable:
        expected = -INITIAL[name] * gradients[name].grad * chance * (1 - chance)
        moved = learned.weights()[name] - before[name]
        assert torch.allclose(moved, expected, atol=1e-6, rtol=2e-3)


def test_a_rounded_mask_is_what_is_likelier_and_its_gradient_that_of_the_chance():
    config = CONFIG.override({"supermask.round": True, "supermask.logit": 0.3})
    learned, index, rate = session(config), batches(1), 500.0
    x, y = POOL.batch(index[0])
    module = NETWORK.make()
    module.load_state_dict(INITIAL)
    functional.cross_entropy(module(x), y).backward()
    chance = 1 / (1 + math.exp(-0.3))
    learned.run(POOL, index, [rate])
    logits = learned.weights()
    for name, value in module.named_parameters():
        if name in NETWORK.prunable:
            # All weights are in at first, so that nothing is rescaled.
            expected = 0.3 - rate * INITIAL[name] * value.grad * chance * (1 - chance)
            assert torch.allclose(logits[name], expected, atol=1e-4, rtol=2e-3)
    assert any((logits[name] < 0).any() for name in NETWORK.prunable)
    values = learned._drawn(learned._drawing)
    for name in NETWORK.prunable:
        keep = (logits[name] > 0).float()
        assert torch.allclose(values[name], INITIAL[name] * keep / keep.mean())


def test_a_rounded_mask_learns_and_has_the_accuracy_of_its_ticket(lab):
    config = CONFIG.override({"supermask.round": True, "supermask.logit": 0.1})
    _, level = (levels[0] for levels in trajectories(config, [0], lab))
    measures = level.stored.cell.record["measures"]
    assert measures["start_val_accuracy"] < 0.3 < 0.7 < measures["test_accuracy"]
    assert 0.2 < masks.density(level.ticket.mask) < 0.95
    module = NETWORK.make()
    shares = {name: keep.float().mean() for name, keep in level.ticket.mask.items()}
    module.load_state_dict({n: v / shares.get(n, 1) for n, v in level.ticket.start.items()})
    test = lab.material(config, 0).test
    x, y = test.slice(0, len(test))
    accuracy = (module(x).argmax(1) == y).float().mean().item()
    assert measures["end_test_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    # Nothing is drawn: one mask is as good as several.
    one = config.override({"supermask.samples": 1})
    other = list(trajectories(one, [0], lab))[1][0].stored.cell.record["measures"]
    assert other["end_test_accuracy"] == measures["end_test_accuracy"]


def test_rounding_needs_a_mask_to_begin_with():
    with pytest.raises(ConfigError, match=r"supermask.logit must be > 0 where supermask.round"):
        SupermaskConfig(round=True)


def test_masks_that_are_drawn_have_the_keys_that_they_had(lab):
    (dense,) = next(trajectories(CONFIG, [0], lab))
    known = {"lr", "logit", "rescale", "signed_constant", "samples"}
    assert identity(CONFIG, NETWORK, dense.stored)["supermask"].keys() == known
    other = CONFIG.override({"supermask.round": True, "supermask.logit": 0.1})
    assert identity(other, NETWORK, dense.stored)["supermask"].keys() == {*known, "round"}


def test_dynamic_rescaling_divides_by_the_share_that_is_kept():
    learned = session()
    generator = torch.Generator().manual_seed(1)
    values = learned._drawn(generator)
    for name in NETWORK.prunable:
        keep = values[name] != 0
        expected = INITIAL[name] / keep.float().mean()
        assert torch.allclose(values[name][keep], expected[keep])


def test_signed_constants_have_one_size_a_layer():
    config = CONFIG.override({"supermask.signed_constant": True})
    weights = fixed_weights(config, INITIAL, NETWORK.prunable)
    for name in NETWORK.prunable:
        assert len(weights[name].abs().unique()) == 1
        assert torch.equal(weights[name].sign(), INITIAL[name].sign())
        assert weights[name].abs().max() == pytest.approx(float(INITIAL[name].std(correction=0)))


def test_two_evaluations_draw_the_same_masks():
    learned = session()
    assert learned.evaluate(POOL) == learned.evaluate(POOL)
    saved = learned.weights()
    learned.run(POOL, batches(2), [20.0] * 2)
    changed = learned.evaluate(POOL)
    learned.load(saved)
    assert changed != learned.evaluate(POOL) == session().evaluate(POOL)


def test_a_learned_mask_is_determined_and_kept(lab, tmp_path):
    one = list(trajectories(CONFIG, [0], lab))[1][0]
    again = list(trajectories(CONFIG, [0], lab))[1][0]
    other = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path / "other"))
    fresh = list(trajectories(CONFIG, [0], other))[1][0]
    assert again.stored.reused
    assert not fresh.stored.reused
    assert one.stored.key == fresh.stored.key
    assert one.stored.cell.record == fresh.stored.cell.record
    for name, logits in weights_of(one.stored.cell, NETWORK).items():
        assert torch.equal(logits, weights_of(fresh.stored.cell, NETWORK)[name])


def test_controls_train_the_learned_mask(lab):
    reports = list(run_trial(CONFIG, [0], ["reinit"], lab))
    rows = {row["branch"]: row for row in reports[1]["rows"]}
    assert rows["reinit"]["surviving"] == rows["trunk"]["surviving"] < rows["trunk"]["prunable"]
    assert rows["reinit"]["test_accuracy"] > 0.85


def test_the_settings_of_a_supermask_are_in_its_key_and_not_in_the_dense_ones(lab):
    first = list(trajectories(CONFIG, [0], lab))
    other = list(trajectories(CONFIG.override({"supermask.lr": 10.0}), [0], lab))
    assert other[0][0].stored.key == first[0][0].stored.key
    assert other[1][0].stored.key != first[1][0].stored.key


@pytest.mark.parametrize("hparams", [{"pruned": "freeze"}, {"prune.criterion": "random"}])
def test_what_its_controls_depend_on_is_in_its_key(lab, hparams):
    keys = {
        list(trajectories(c, [0], lab))[1][0].stored.key for c in (CONFIG, CONFIG.override(hparams))
    }
    assert len(keys) == 2


def test_a_learned_mask_is_not_rewound():
    with pytest.raises(ConfigError, match="rewind_step must be 0 where method is 'supermask'"):
        CONFIG.override({"rewind_step": 5})


def test_one_level_is_all_there_is():
    assert planned_densities(CONFIG, NETWORK) == [1.0, 0.5]
    with pytest.raises(ConfigError, match="levels must be at most 1"):
        CONFIG.override({"levels": 2})
