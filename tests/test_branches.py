"""The controls: which weights survive in each, what they start from, on what they are trained."""

import dataclasses
import math
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lttune import masks
from lttune.branches import ANYWHERE, BRANCHES, FROM_DENSE, HOLDING, TRANSFERS
from lttune.branches.places import apportioned
from lttune.checks import check_controls, check_fit
from lttune.config import (
    DataConfig,
    LotteryConfig,
    ModelConfig,
    PruneConfig,
    TargetConfig,
    TrainConfig,
)
from lttune.criteria import evidence_of
from lttune.data import load
from lttune.engines.torch import TorchEngine
from lttune.errors import ConfigError
from lttune.lab import Lab
from lttune.models import build
from lttune.pruning import prune
from lttune.seeding import stream
from lttune.settings import ControlName
from lttune.starts import Junction, start
from lttune.store import Store
from lttune.trial import run_trial

DIGITS = load("digits")
NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
CONFIG = LotteryConfig(
    model=NETWORK.config,
    train=TrainConfig(lr=1.0, steps=100, eval_every=10, milestones=(50,)),
    rewind_step=7,
    target=TargetConfig(data="other.npz", lr=0.5, steps=30),
)


def moved(seed):
    noise = torch.Generator().manual_seed(seed)
    return {n: v + 0.1 * torch.randn(v.shape, generator=noise) for n, v in INITIAL.items()}


INITIAL = NETWORK.initial_weights(stream(0, 0, "init"))
REWOUND, DENSE = moved(1), moved(2)
MASK = {
    name: torch.from_numpy(stream(0, 0, "test").random(NETWORK.shapes[name]) < density)
    for name, density in zip(NETWORK.prunable, (0.2, 0.5, 0.8), strict=True)
}


def junction(name="x", level=3, **changes):
    trained = masks.apply(moved(3), MASK)
    at = Junction(
        mask=MASK,
        evidence=dataclasses.replace(evidence_of(trained, MASK, NETWORK), initial=INITIAL),
        rewound=REWOUND,
        dense=DENSE,
        final=moved(4),
        config=CONFIG,
        rng=stream(0, 0, name, level),
        train=CONFIG.train,
        first_step=7,
    )
    at = dataclasses.replace(at, start=start(at, "rewind", "zero"))
    return dataclasses.replace(at, **changes)


def leaving(name, **changes):
    return BRANCHES[name](junction(name, **changes))


def test_the_command_line_knows_every_control():
    assert get_args(ControlName) == tuple(BRANCHES)
    assert BRANCHES.keys() >= HOLDING | FROM_DENSE | TRANSFERS | ANYWHERE


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_is_determined_by_its_stream(name):
    one, same = leaving(name), leaving(name)
    assert all(torch.equal(one.mask[n], same.mask[n]) for n in one.mask)
    assert all(torch.equal(one.start[n], same.start[n]) for n in one.start)
    other = BRANCHES[name](junction(name, level=4))
    drawn = not torch.equal(one.start["fc1.weight"], other.start["fc1.weight"])
    draws = ("reinit", "random", "shuffle", "permute", "keep_sign", "noise")
    assert drawn == (any(word in name for word in draws))


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_leaves_the_trunk_as_it_was(name):
    at = junction(name)
    before = {n: keep.clone() for n, keep in at.mask.items()}
    sources = (at.initial, at.rewound, at.trained, at.dense, at.final, at.start)
    copies = [{n: v.clone() for n, v in weights.items()} for weights in sources]
    for value in (found := BRANCHES[name](at)).start.values():
        assert value.isfinite().all()
    assert found.mask.keys() == MASK.keys()
    assert all(torch.equal(MASK[n], before[n]) for n in MASK)
    for weights, copy in zip(sources, copies, strict=True):
        assert all(torch.equal(weights[n], copy[n]) for n in copy)


@pytest.mark.parametrize("name", sorted(BRANCHES.keys() - HOLDING))
def test_pruned_weights_start_at_zero_and_as_many_survive(name):
    found = leaving(name)
    assert masks.surviving(found.mask) == masks.surviving(MASK)
    for n, keep in found.mask.items():
        assert (found.start[n][~keep] == 0).all()
        assert (found.start[n][keep] != 0).all()


SAME_MASK = [
    name
    for name in sorted(BRANCHES)
    if name not in {"random", "shuffle", "one_shot", "transfer_random", *ANYWHERE}
]


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_which_controls_have_the_tickets_mask(name):
    found = leaving(name)
    same = all(torch.equal(found.mask[n], MASK[n]) for n in MASK)
    assert same == (name in SAME_MASK)


@pytest.mark.parametrize("name", ["random", "shuffle", "transfer_random", "one_shot"])
def test_other_places_keep_the_density_of_every_layer(name):
    assert masks.layer_densities(leaving(name).mask) == masks.layer_densities(MASK)


@pytest.mark.parametrize("name", ["reinit", "random", "random_global", "transfer_reinit"])
def test_new_weights_are_none_of_the_tickets(name):
    found = leaving(name)
    for n, keep in found.mask.items():
        assert (found.start[n][keep] != REWOUND[n][keep]).all()
        assert (found.start[n][keep] != INITIAL[n][keep]).all()


@pytest.mark.parametrize("name", ["shuffle", "one_shot", "reset"])
def test_rewound_weights_are_those_of_their_new_places(name):
    found = leaving(name)
    for n, keep in found.mask.items():
        assert torch.equal(found.start[n][keep], REWOUND[n][keep])
    assert torch.equal(found.start["fc1.bias"], REWOUND["fc1.bias"])


def test_random_places_are_spread_evenly():
    keep = torch.zeros(20, 64, dtype=torch.bool)
    keep[:2] = True
    at = junction(mask={"fc1.weight": keep})
    total = sum(BRANCHES["random"](at).mask["fc1.weight"].int() for _ in range(400))
    # 400 draws at density 0.1: a place is chosen 40 times on average, with deviation 6.
    assert total.float().mean().item() == pytest.approx(40)
    assert 14 < total.min() <= total.max() < 70


def test_a_global_random_mask_has_the_overall_density_in_every_layer_on_average():
    at, times = junction(), 60
    found = [BRANCHES["random_global"](at).mask for _ in range(times)]
    for name, keep in MASK.items():
        alive = sum(int(mask[name].sum()) for mask in found)
        expected, share = times * keep.numel() * masks.density(MASK), masks.density(MASK)
        assert abs(alive - expected) < 5 * math.sqrt(expected * (1 - share))
    assert len({int(mask["out.weight"].sum()) for mask in found}) > 3


def test_an_even_mask_has_one_density():
    densities = masks.layer_densities(leaving("random_even").mask)
    for name, density in densities.items():
        assert abs(density - masks.density(MASK)) < 1 / MASK[f"{name}.weight"].numel()


def test_erdos_renyi_kernel_densities_are_those_of_the_formula():
    # Evci et al. (2020), section 3: proportional to (n_in + n_out) / (n_in n_out).
    found, total = leaving("random_erk").mask, masks.surviving(MASK)
    eps = total / (20 + 64 + 10 + 20 + 10 + 10)
    for keep in found.values():
        assert abs(int(keep.sum()) - eps * sum(keep.shape)) < 1
    assert masks.surviving(found) == total


def test_kernels_count_in_the_densities():
    shapes = [(64, 3, 3, 3), (128, 64, 3, 3), (256, 4096), (10, 256)]
    sizes = [math.prod(s) for s in shapes]
    shares = [Fraction(sum(s), math.prod(s)) for s in shapes]
    counts = apportioned(200_000, sizes, shares)
    # The first and the last layer would come above 1: they are whole, the others share the rest.
    assert (counts[0], counts[3]) == (1728, 2560)
    eps = (200_000 - 1728 - 2560) / (128 + 64 + 3 + 3 + 256 + 4096)
    assert counts[1] == pytest.approx(eps * (128 + 64 + 3 + 3), abs=1)
    assert counts[2] == pytest.approx(eps * (256 + 4096), abs=1)
    assert sum(counts) == 200_000


def test_what_rounding_leaves_goes_where_most_was_lost():
    # 5 in the proportion 1 : 2 is 1 2/3 and 3 1/3; 10 of three layers alike leaves one over.
    assert apportioned(5, [10, 10], [Fraction(1), Fraction(2)]) == [2, 3]
    assert apportioned(10, [9, 9, 9], [Fraction(1)] * 3) == [4, 3, 3]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(1, 500), st.integers(1, 50)), min_size=1, max_size=6),
    st.floats(0, 1),
)
def test_apportioned_survivors_add_up_and_no_layer_has_more_than_it_holds(layers, density):
    sizes, weights = zip(*layers, strict=True)
    total = round(density * sum(sizes))
    shares = [Fraction(w, 7) for w in weights]
    counts = apportioned(total, sizes, shares)
    assert sum(counts) == total
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))
    # Of two layers that are not whole, the densities are in the proportion of the shares.
    part = [i for i in range(len(sizes)) if counts[i] + 1 < sizes[i]]
    for i in part:
        for j in part:
            exact = counts[j] / sizes[j] * shares[i] / shares[j] * sizes[i]
            assert abs(counts[i] - exact) <= 1 + shares[i] / shares[j] * sizes[i] / sizes[j]


def test_one_shot_keeps_the_largest_dense_weights_of_each_layer():
    found = leaving("one_shot").mask
    for name, keep in found.items():
        size = DENSE[name].abs()
        assert size[keep].min() >= size[~keep].max()


def test_one_shot_in_global_scope_has_the_tickets_total():
    config = dataclasses.replace(CONFIG, prune=PruneConfig(scope="global", fractions={}))
    found = leaving("one_shot", config=config).mask
    size = torch.cat([DENSE[name].abs().flatten() for name in found])
    keep = torch.cat([keep.flatten() for keep in found.values()])
    assert int(keep.sum()) == masks.surviving(MASK)
    assert size[keep].min() >= size[~keep].max()


def test_one_shot_of_a_criterion_of_the_initial_weights_reads_them():
    config = dataclasses.replace(CONFIG, prune=PruneConfig(criterion="large_init", fractions={}))
    for name, keep in leaving("one_shot", config=config).mask.items():
        size = INITIAL[name].abs()
        assert size[keep].min() >= size[~keep].max()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("finetune", "continue"),
        ("lr_rewind", "lr_rewind"),
        ("permute", "permute"),
        ("keep_sign", "keep_sign"),
        ("signed_constant", "signed_constant"),
        ("reinit", "reinit"),
    ],
)
def test_a_start_is_the_one_of_its_name(name, kept):
    found, expected = leaving(name), start(junction(name), kept, "zero")
    assert all(torch.equal(found.start[n], expected[n]) for n in expected)
    fine = kept == "continue"
    assert (found.train.lr, found.first_step) == (
        pytest.approx(0.1 if fine else 1.0),
        0 if fine else 7,
    )


@pytest.mark.parametrize("name", sorted(HOLDING))
def test_a_holding_control_starts_as_the_trunk_and_holds_what_it_is_called_for(name):
    # The trunk's own start was drawn: the control has the same.
    own = start(junction("trunk"), "reinit", "zero")
    found = leaving(name, start=own, first_step=3)
    held = start(junction(), "rewind", name)
    for n, keep in MASK.items():
        assert torch.equal(found.start[n][keep], own[n][keep])
        assert torch.equal(found.start[n][~keep], held[n][~keep])
        assert found.start[n][~keep].any()
    assert found.first_step == 3


def test_the_sibling_is_the_trunks_ticket_in_another_order():
    own = start(junction("trunk"), "permute", "freeze")
    found = leaving("sibling", start=own)
    assert all(torch.equal(found.start[n], own[n]) for n in own)
    assert (found.order, found.keep, found.train, found.first_step) == (
        "sibling",
        True,
        CONFIG.train,
        7,
    )


@pytest.mark.parametrize("deviations", [0.5, 1, 2, 3])
def test_noise_has_so_many_deviations_of_the_layers_initial_weights(deviations):
    found = leaving(f"noise_{deviations}")
    for name, keep in MASK.items():
        added = (found.start[name] - REWOUND[name])[keep]
        sigma = deviations * float(INITIAL[name].numpy().std())
        assert added.std().item() == pytest.approx(sigma, rel=4 / math.sqrt(2 * len(added)))
        assert abs(added.mean().item()) < 4 * sigma / math.sqrt(len(added))
    assert torch.equal(found.start["fc1.bias"], REWOUND["fc1.bias"])
    assert (found.train, found.first_step) == (CONFIG.train, 7)


@pytest.mark.parametrize("name", sorted(TRANSFERS))
def test_a_transfer_trains_all_of_the_targets_schedule(name):
    found = leaving(name)
    assert found.config is not None
    assert found.config.data == DataConfig(name="other.npz")
    assert found.train == found.config.train == dataclasses.replace(CONFIG.train, lr=0.5, steps=30)
    assert found.first_step == found.config.rewind_step == 0


def test_a_transferred_ticket_is_the_ticket():
    found, at = leaving("transfer"), junction()
    assert all(torch.equal(found.start[n], at.start[n]) for n in at.start)


def test_whole_channels_change_places_where_channels_are_pruned():
    config = dataclasses.replace(CONFIG, prune=PruneConfig(structure="channel"))
    mask = {n: torch.zeros_like(keep) for n, keep in MASK.items()}
    for keep in mask.values():
        keep[: len(keep) // 2] = True
    for name in ("random", "shuffle", "transfer_random"):
        found = leaving(name, config=config, mask=mask)
        for n, keep in found.mask.items():
            assert torch.equal(keep.all(1), keep.any(1))
            assert int(keep.sum()) == int(mask[n].sum())
        assert not torch.equal(found.mask["fc1.weight"], mask["fc1.weight"])


@pytest.mark.parametrize(
    ("control", "changes", "message"),
    [
        ("transfer", {"target": TargetConfig()}, "target must be given for the control 'transfer'"),
        ("random_erk", {"prune": PruneConfig(structure="channel")}, "prune.structure must be"),
        ("sibling", {"method": "supermask", "levels": 1, "rewind_step": 0}, "method must"),
    ],
)
def test_a_control_that_cannot_be_is_refused(control, changes, message):
    check_controls(tuple(BRANCHES), CONFIG)
    with pytest.raises(ConfigError, match=message) as error:
        check_controls(("reinit", control), dataclasses.replace(CONFIG, **changes))
    assert "\n" not in str(error.value)


def test_a_target_too_small_for_its_validation_split_is_refused():
    few = dataclasses.replace(DIGITS, train_x=DIGITS.train_x[:50], train_y=DIGITS.train_y[:50])
    config = LotteryConfig(
        data=DataConfig(name="digits", validation=60), target=TargetConfig(data="few.npz")
    )
    with pytest.raises(ConfigError, match=r"data\.validation must be"):
        check_fit(config, {"digits": DIGITS, "few.npz": few})


REAL = LotteryConfig(
    levels=2,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=5e-3, batch_size=50, steps=60, eval_every=20, eval_train=200),
    prune=PruneConfig(fraction=0.4, fractions={"out": 0.2}),
    target=TargetConfig(data="turned.npz", steps=40),
    rewind_step=10,
)
TURNED = dataclasses.replace(
    DIGITS,
    name="turned",
    train_x=np.ascontiguousarray(DIGITS.train_x[:, ::-1] // 2)[DIGITS.train_y < 6],
    train_y=DIGITS.train_y[DIGITS.train_y < 6],
    test_x=np.ascontiguousarray(DIGITS.test_x[:, ::-1] // 2)[DIGITS.test_y < 6],
    test_y=DIGITS.test_y[DIGITS.test_y < 6],
    classes=6,
)


class Watching(TorchEngine):
    """The reference engine, keeping what it was given and gave."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def train(self, members):
        trained = super().train(members)
        self.seen += zip(members, trained, strict=True)
        return trained


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    lab = Lab(
        {"digits": DIGITS, "turned.npz": TURNED},
        Watching(),
        Store(tmp_path_factory.mktemp("store")),
    )
    reports = list(run_trial(REAL, [0], tuple(BRANCHES), lab))
    return lab, {(row["branch"], row["level"]): row for r in reports for row in r["rows"]}


def test_every_control_is_trained_at_every_level(real):
    lab, rows = real
    expected = {(name, level) for name in ("trunk", *BRANCHES) for level in (1, 2)}
    assert rows.keys() == expected | {("trunk", 0), *((name, 0) for name in FROM_DENSE)}
    assert len({row["cell"] for row in rows.values()}) == len(rows) == len(lab.engine.seen)
    assert all(
        row["surviving"] == rows["trunk", row["level"]]["surviving"] for row in rows.values()
    )


def test_a_control_steps_as_far_as_it_should(real):
    _, rows = real
    for (name, level), row in rows.items():
        full = level == 0 or name == "finetune"
        expected = 40 if name in TRANSFERS else 60 if full else 50
        assert row["steps_trained"] == expected


def test_only_the_sibling_has_another_order_and_a_barrier(real):
    _, rows = real
    for (name, _), row in rows.items():
        for column in ("barrier_test_error", "barrier_train_error"):
            assert (row[column] is not None) == (name == "sibling")
    assert rows["sibling", 0]["val_loss"] != rows["trunk", 0]["val_loss"]
    # Rewound at every level, the trunk resets already.
    for level in (1, 2):
        assert rows["reset", level]["val_loss"] == rows["trunk", level]["val_loss"]
        assert rows["reset", level]["cell"] != rows["trunk", level]["cell"]


def test_transfers_learn_the_targets_examples_with_the_sources_network(real):
    lab, rows = real
    targets = [m for m, _ in lab.engine.seen if len(m.material.test) == len(TURNED.test_y)]
    assert len(targets) == 7
    for member in targets:
        assert member.network.shapes["out.weight"] == (10, 10)
        assert member.material.classes == 6
        assert member.snapshot_step is None
    assert rows["transfer", 0]["end_test_accuracy"] > 0.5


def test_another_target_is_another_network_of_the_same_trunk(real):
    lab, rows = real
    other = REAL.override({"target.lr": 1e-3})
    found = [row for r in run_trial(other, [0], ("transfer", "reinit"), lab) for row in r["rows"]]
    for row in found:
        same = row["cell"] == rows[row["branch"], row["level"]]["cell"]
        assert same == (row["branch"] != "transfer")


def test_where_the_trunk_continues_the_reset_is_rewound(tmp_path):
    engine = Watching()
    config = REAL.override({"kept": "continue", "levels": 1, "train.milestones": (30,)})
    list(
        run_trial(
            config,
            [0],
            ("reset",),
            Lab({"digits": DIGITS, "turned.npz": TURNED}, engine, Store(tmp_path)),
        )
    )
    (_, dense), (trunk, _), (reset, _) = engine.seen
    keep = trunk.mask["fc1.weight"]
    assert torch.equal(reset.mask["fc1.weight"], keep)
    assert torch.equal(trunk.start["fc1.weight"][keep], dense.weights["fc1.weight"][keep])
    assert torch.equal(reset.start["fc1.weight"][keep], dense.snapshot["fc1.weight"][keep])
    assert (trunk.first_step, reset.first_step) == (0, 10)
    assert trunk.config.lr == pytest.approx(0.1 * reset.config.lr)


def test_one_shot_at_the_first_level_is_the_trunk(real):
    _, rows = real
    for column in ("val_loss", "test_accuracy", "density.fc1"):
        assert rows["one_shot", 1][column] == rows["trunk", 1][column]
    assert rows["one_shot", 2]["val_loss"] != rows["trunk", 2]["val_loss"]
    whole = masks.ones(INITIAL, NETWORK.prunable)
    assert (
        masks.surviving(prune(evidence_of(DENSE, whole, NETWORK), REAL.prune))
        == rows["trunk", 1]["surviving"]
    )
