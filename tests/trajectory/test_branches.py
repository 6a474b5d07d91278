"""The controls: which weights survive in each, what they start from, on what they are trained."""

import dataclasses
import math
from typing import get_args

import pytest
import torch
from junctions import CONFIG, DIGITS, INITIAL, MASK, REWOUND, junction, leaving

from lttune.config import (
    DataConfig,
    LotteryConfig,
    PruneConfig,
    TargetConfig,
)
from lttune.config.control import CONTROLS, ControlName
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.trajectory.branches import (
    ANYWHERE,
    BRANCHES,
    FROM_DENSE,
    FROM_END,
    HOLDING,
    TRANSFERS,
    ticket_of,
)
from lttune.trajectory.branches.own import keeps_weights
from lttune.trajectory.checks import check_controls, check_fit
from lttune.trajectory.starts import start_weights


def test_the_command_line_knows_every_control():
    assert get_args(ControlName) == tuple(CONTROLS) == tuple(BRANCHES)
    assert BRANCHES.keys() >= HOLDING | FROM_DENSE | FROM_END | TRANSFERS | ANYWHERE


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_is_determined_by_its_stream(name):
    one, same = leaving(name), leaving(name)
    assert all(torch.equal(one.mask[n], same.mask[n]) for n in one.mask)
    assert all(torch.equal(one.start[n], same.start[n]) for n in one.start)
    other = BRANCHES[name](junction(name, level=4))
    drawn = not torch.equal(one.start["fc1.weight"], other.start["fc1.weight"])
    draws = ("reinit", "random", "shuffle", "permute", "keep_sign", "noise", "flip", "trained_")
    assert drawn == (any(word in name for word in draws))


@pytest.mark.parametrize("name", sorted(BRANCHES.keys() - HOLDING))
def test_pruned_weights_start_at_zero_and_as_many_survive(name):
    found = leaving(name)
    assert masks.surviving(found.mask) == masks.surviving(MASK)
    for n, keep in found.mask.items():
        assert (found.start[n][~keep] == 0).all()
        assert (found.start[n][keep] != 0).all()


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


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("finetune", "continue"),
        ("lr_rewind", "lr_rewind"),
        ("permute", "permute"),
        ("keep_sign", "keep_sign"),
        ("permute_magnitudes", "permute_magnitudes"),
        ("signed_constant", "signed_constant"),
        ("reinit", "reinit"),
        ("reinit_scaled", "reinit_scaled"),
    ],
)
def test_a_start_is_the_one_of_its_name(name, kept):
    found, expected = leaving(name), start_weights(junction(name), kept, "zero")
    assert all(torch.equal(found.start[n], expected[n]) for n in expected)
    fine = kept == "continue"
    assert (found.train.lr, found.first_step) == (
        pytest.approx(0.1 if fine else 1.0),
        0 if fine else 7,
    )


@pytest.mark.parametrize("name", sorted(HOLDING - {"zero_all_if_shrinking"}))
def test_a_holding_control_starts_as_the_trunk_and_holds_what_it_is_called_for(name):
    # The trunk's own start was drawn: the control has the same.
    own = start_weights(junction("trunk"), "reinit", "zero")
    found = leaving(name, start=own, first_step=3)
    held = start_weights(junction(name), "rewind", name)
    for n, keep in MASK.items():
        assert torch.equal(found.start[n][keep], own[n][keep])
        assert torch.equal(found.start[n][~keep], held[n][~keep])
        assert found.start[n][~keep].any()
    assert found.first_step == 3


def test_all_weights_that_shrank_can_start_from_zero():
    own = start_weights(junction("trunk"), "reinit", "zero")
    found, at = leaving("zero_all_if_shrinking", start=own, first_step=3), junction()
    held = leaving("zero_if_shrinking").start
    for n, keep in MASK.items():
        shrunk = at.final[n].abs() < INITIAL[n].abs()
        assert torch.equal(found.start[n][keep], torch.where(shrunk, 0, own[n])[keep])
        assert torch.equal(found.start[n][~keep], held[n][~keep])
        assert (shrunk & keep).any()
    assert (found.first_step, found.pruned) == (3, "zero_if_shrinking")


def test_trainable_weights_start_from_zero_and_are_let_go():
    own = start_weights(junction("trunk"), "reinit", "freeze")
    found = ticket_of(leaving("trainable", start=own), CONFIG)
    for n, keep in MASK.items():
        assert torch.equal(found.start[n], torch.where(keep, own[n], 0))
        assert torch.equal(found.mask[n], keep)
        assert found.moving[n].all()
    # Every control of a trunk that lets them go does so too, unless it holds them.
    free = dataclasses.replace(CONFIG, pruned="trainable")
    for name in BRANCHES:
        released = ticket_of(leaving(name, config=free), free).released
        assert released == (name not in HOLDING)
        assert ticket_of(leaving(name), CONFIG).released == (name == "trainable")


@pytest.mark.parametrize("kept", ["rewind", "continue", "lr_rewind"])
def test_the_control_that_is_rescaled_has_the_tickets_weights_over_the_density(kept):
    found = leaving("rescale", config=CONFIG.override({"kept": kept}))
    for n, keep in MASK.items():
        expected = REWOUND[n][keep] * keep.numel() / keep.sum()
        assert torch.allclose(found.start[n][keep], expected, rtol=1e-6)
    assert torch.equal(found.start["fc1.bias"], REWOUND["fc1.bias"])
    assert (found.train, found.first_step) == (CONFIG.train, 7)


def test_the_sibling_is_the_trunks_ticket_in_another_order():
    own = start_weights(junction("trunk"), "permute", "freeze")
    found = leaving("sibling", start=own)
    assert all(torch.equal(found.start[n], own[n]) for n in own)
    assert (found.order, keeps_weights("sibling"), found.train, found.first_step) == (
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


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("kept", ["rewind", "lr_rewind"])
def test_so_many_signs_of_the_trunks_own_start_are_turned(share, kept):
    own = start_weights(junction("trunk"), kept, "freeze")
    found = leaving(f"flip_{share}", start=own, first_step=3)
    for name, keep in MASK.items():
        assert torch.equal(found.start[name].abs(), own[name].abs())
        turned = found.start[name] != own[name]
        assert not (turned & ~keep).any()
        assert int(turned.sum()) == round(share * int(keep.sum()))
    assert torch.equal(found.start["fc1.bias"], own["fc1.bias"])
    assert found.first_step == 3


def test_trained_signs_and_magnitudes_are_those_of_the_levels_own_end():
    at = junction()
    signs, sizes = (leaving(f"trained_{half}") for half in ("sign", "magnitude"))
    for name, keep in MASK.items():
        end = at.end[name][keep]
        new, old = signs.start[name][keep], sizes.start[name][keep]
        assert torch.equal(new.sign(), end.sign())
        assert (new.abs() != end.abs()).all()
        assert torch.equal(old.abs(), end.abs())
        share = (old.sign() == end.sign()).float().mean().item()
        assert abs(share - 0.5) < 4 * 0.5 / math.sqrt(len(end))
    for found in (signs, sizes):
        assert torch.equal(found.start["fc1.bias"], REWOUND["fc1.bias"])
        assert (found.train, found.first_step) == (CONFIG.train, 7)


def test_a_random_mask_can_have_scaled_weights():
    plain, found = (BRANCHES[name](junction("x")) for name in ("random", "random_scaled"))
    for name, keep in found.mask.items():
        assert torch.equal(keep, plain.mask[name])
        root = math.sqrt(keep.float().mean().item())
        wanted = (plain.start[name] / root).numpy()
        assert found.start[name].numpy() == pytest.approx(wanted, rel=1e-5)


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


@pytest.mark.parametrize(
    ("control", "changes", "message"),
    [
        ("transfer", {"target": TargetConfig()}, "target must be given for the control 'transfer'"),
        ("random_erk", {"prune": PruneConfig(structure="channel")}, "prune.structure must be"),
        ("trained_sign", {"method": "supermask", "levels": 1, "rewind_step": 0}, "method must"),
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
