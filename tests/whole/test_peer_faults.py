"""Faults found in six other systems by reading and running them: none of them is here.

Each test says whose fault it is. Where it is cheap, the faulty behaviour itself is there too, to
show that the test would see it.
"""

import copy
import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
import torch
from evidences import DIGITS as EXAMPLES
from evidences import network as network_named
from torch.nn import functional
from torch.nn.utils import prune as torch_prune

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import load
from lttune.models import build, masks
from lttune.models.layers import Output, kind
from lttune.pruning.criteria import evidence_of
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import prune
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.task import weights_of

DIGITS = load("digits")
CONFIG = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(
        optimizer="momentum",
        lr=0.1,
        weight_decay=1e-3,
        warmup_steps=10,
        milestones=(70,),
        batch_size=50,
        steps=80,
        eval_every=10,
        eval_train=100,
    ),
    prune=PruneConfig(fraction=0.3, fractions={"out": 0.15}),
)
LENET = ModelConfig(name="lenet-300-100")


class Recording(TorchEngine):
    """The reference engine; it writes down what each of its sessions is told."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.sessions, self.fail_at = [], fail_at

    def open(self, *args, **options):
        if len(self.sessions) == self.fail_at:
            raise KeyboardInterrupt
        session = super().open(*args, **options)
        run, told = session.run, {"rates": [], "state": dict(session._optimizer.state)}

        def recorded(examples, batches, rates):
            told["rates"] += rates
            run(examples, batches, rates)

        session.run = recorded
        self.sessions.append(told)
        return session


def lab_in(folder, engine=None, dataset=DIGITS, seed=0):
    return Lab({"digits": dataset}, engine or TorchEngine(), Store(folder), seed)


def walked(lab, config=CONFIG, replicate=0):
    return [levels[0] for levels in trajectories(config, [replicate], lab)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return lab_in(tmp_path_factory.mktemp("store"), Recording())


@pytest.fixture(scope="module")
def levels(lab):
    return walked(lab)


def trained(level):
    return weights_of(level.stored.cell, level.junction.network)


def largest_change(before, after, keep):
    return min(float((after[n] - before[n])[k].abs().max()) for n, k in keep.items())


def pruned_once(weights, config, mask=None):
    """Returns the mask of one level of the weights of a layer fc1."""
    network = dataclasses.replace(network_named("lenet-12-8"), kinds={"fc1": "fc"})
    mask = mask or masks.ones(weights, list(weights))
    return prune(evidence_of(weights, mask, network), config)


# grantgasser/lottery-ticket-hypothesis-reproduction


def test_grantgasser_the_pruned_network_is_never_trained(levels):
    """Its optimizer held the first network's parameters: max |dw| was 0 at every level."""
    for level in levels:
        assert largest_change(level.ticket.start, trained(level), level.ticket.mask) > 0.01
    network = torch.nn.Linear(4, 2)
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    rewound = copy.deepcopy(network)
    rewound(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    keep = {"weight": torch.ones(2, 4, dtype=torch.bool)}
    assert largest_change(network.state_dict(), rewound.state_dict(), keep) == 0


def test_grantgasser_masks_are_not_held_during_training(levels):
    """It multiplied by the mask once; 98.5 % of the weights were not zero again after training."""
    for level in levels[1:]:
        for name, keep in level.ticket.mask.items():
            assert (trained(level)[name][~keep] == 0).all()
            assert trained(level)[name].count_nonzero() <= keep.sum()
        assert masks.density(level.ticket.mask) < 1


def test_grantgasser_rewinds_to_the_trained_network(lab, levels):
    """It copied the weights to rewind to after the dense training, not before."""
    initial = lab.network(CONFIG).initial_weights(stream(0, 0, "init"))
    for level in levels[1:]:
        for name, keep in level.ticket.mask.items():
            assert torch.equal(level.ticket.start[name][keep], initial[name][keep])
            assert not torch.equal(trained(levels[0])[name][keep], initial[name][keep])


def test_grantgasser_optimizer_and_schedule_leak_from_level_to_level(lab, levels):
    """One optimizer and one decaying schedule served all levels: 1e-6 of the rate was left."""
    sessions = lab.engine.sessions
    assert len(sessions) == len(levels) == 4
    for told in sessions:
        assert told["state"] == {}
        assert told["rates"] == sessions[0]["rates"]
        assert told["rates"][0] == pytest.approx(0.01)
        assert told["rates"][40] == 0.1
        assert told["rates"][-1] == pytest.approx(0.01)


def test_grantgasser_a_rate_is_a_share_of_what_remains():
    """It read "20 %" as a density of 0.2 % in seven levels, which keeps 41 % at each."""
    config = LotteryConfig(levels=7, model=LENET)
    planned = planned_densities(config, build(LENET, (28, 28), 10))
    left = [235_200, 30_000, 1_000]
    for density in planned:
        assert density == sum(left) / 266_200
        left = [n - n // d for n, d in zip(left, (5, 5, 10), strict=True)]
    assert planned[1] == pytest.approx(0.8004, abs=1e-4)
    assert planned[7] == pytest.approx(0.8**7, rel=0.01)


def test_grantgasser_the_output_layers_rate_is_dead_code(levels):
    """It compared with the index of the last parameter, which is a bias."""
    for before, after in itertools.pairwise(levels):
        for name, fraction in {"fc1": 0.3, "fc2": 0.3, "out": 0.15}.items():
            was, left = (int(at.ticket.mask[f"{name}.weight"].sum()) for at in (before, after))
            assert was - left == math.floor(fraction * was)


def test_grantgasser_early_stopping_ends_the_training(tmp_path):
    """It stopped where consecutive batches differed little; here the step is only recorded."""
    config = CONFIG.override({"levels": 1, "train.lr": 0.5, "train.weight_decay": 0.0})
    for level in walked(lab_in(tmp_path), config):
        record = level.stored.cell.record
        losses = [entry["val_loss"] for entry in record["history"]]
        flat = [abs(a - b) < 0.015 for a, b in itertools.pairwise(losses)]
        assert any(flat[:-1])  # Its rule would have stopped before the end.
        assert record["measures"]["steps_trained"] == 80
        assert record["measures"]["early_stop_step"] == 10 * int(np.argmin(losses))


def test_grantgasser_arguments_fall_into_the_wrong_places():
    """Five positional arguments met another signature; the batch size was the validation size."""
    for config in (DataConfig, ModelConfig, TrainConfig, PruneConfig, LotteryConfig):
        with pytest.raises(TypeError, match="positional"):
            config("digits", 64)


def test_grantgasser_the_seed_does_not_cover_the_initialisation(lab):
    """The network was made before the seed was set."""
    network, drawn = lab.network(CONFIG), []
    for seed, replicate in ((0, 0), (0, 0), (0, 1), (1, 0)):
        torch.manual_seed(len(drawn))
        network.make()
        drawn.append(network.initial_weights(stream(seed, replicate, "init"))["fc1.weight"])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[3])


def test_grantgasser_validation_is_a_part_of_the_training_examples(lab):
    """Two independent random splits of one set overlap."""
    for replicate in range(3):
        found = lab.material(CONFIG, replicate)
        training = {found.pool.x[i].numpy().tobytes() for i in found.train}
        whole = {picture.tobytes() for picture in DIGITS.train_x}
        held = {picture.numpy().tobytes() for picture in found.validation.x}
        assert len(found.train) + len(found.validation) == len(DIGITS.train_y)
        assert len(whole) == len(DIGITS.train_y)  # No two digits are the same picture.
        assert not training & held


def test_grantgasser_the_mass_of_the_weights_is_taken_for_their_number():
    """Its notebook compared the sum of |w| with the expected count and blamed PyTorch."""
    weights = {"fc1.weight": torch.linspace(0.01, 1.0, 100)}
    config = PruneConfig(fraction=0.6, fractions={})
    mask = pruned_once(weights, config)
    mask = pruned_once(weights, dataclasses.replace(config, fraction=0.4), mask)
    assert masks.density(mask) == 0.24
    mass = weights["fc1.weight"][mask["fc1.weight"]].sum() / weights["fc1.weight"].sum()
    assert mass > 0.4


# facebookresearch/open_lth


def above(values, count):
    """The rule of two peers: keeps what lies above the sorted value at a place."""
    return values > values.sort().values[count]


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
