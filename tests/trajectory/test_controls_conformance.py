"""What every control must do. A control is tested here by being in BRANCHES.

The checks are those of ``lttune.testing``, which a control of one's own is asked as well.
"""

from __future__ import annotations

import pytest
import torch
from own_files import writer

from lttune.errors import ConfigError
from lttune.testing import check_control
from lttune.testing import controls as checks
from lttune.testing.controls import CONTROL_NETWORKS, TRUNK_WAYS
from lttune.trajectory.branches import BRANCHES

KINDS = {branch.__module__: name for name, branch in BRANCHES.items()}
"""The module of a kind of controls -> one of them."""


@pytest.fixture(params=BRANCHES)
def control(request):
    """Every control in turn."""
    return request.param


@pytest.mark.parametrize("network", CONTROL_NETWORKS)
def test_as_many_weights_survive_and_start_from_finite_numbers(control, network):
    # The network of convolutions has many weights.
    for way in TRUNK_WAYS if network != "conv-2" else TRUNK_WAYS[:1]:
        checks.check_departure(control, network, way)


@pytest.mark.parametrize("network", CONTROL_NETWORKS[:2])
def test_equal_streams_give_equal_bits_and_others_others(control, network):
    checks.check_branch_repeats(control, network)
    checks.check_draws(control, network)


def test_it_leaves_the_trunk_as_it_was(control):
    checks.check_leaves_trunk(control, CONTROL_NETWORKS[0])


@pytest.mark.parametrize("name", KINDS.values())
def test_a_trajectory_runs_from_end_to_end(name):
    checks.check_control_trains(name)


@pytest.fixture
def own(tmp_path):
    return writer(tmp_path, "at", "import numpy as np\nimport torch\n")


def test_a_sound_one_of_ones_own_passes(own):
    check_control(own("return {'start': at.network.initial_weights(at.rng)}"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "seen.append(1); return {'start': {n: v + len(seen) for n, v in at.start.items()}}",
            "the same whenever it is asked",
        ),
        ("at.rng.random(); return {'mask': at.mask}", "something else with another stream"),
        ("np.random.random(); return {'mask': at.mask}", "must draw from the stream that it"),
    ],
)
def test_what_no_control_may_do_is_found(own, body, told):
    with pytest.raises(AssertionError, match=told):
        check_control(own(body))


def test_what_cannot_be_trained_is_refused_as_in_a_study(own):
    with pytest.raises(ConfigError, match="must leave as many weights as the ticket has"):
        check_control(own("return {'mask': {n: torch.ones_like(k) for n, k in at.mask.items()}}"))


@pytest.mark.parametrize(
    ("spoils", "check", "told"),
    [
        (lambda at: at.mask["out.weight"].fill_(True), "check_leaves_trunk", "must leave mask of"),
        (lambda at: at.initial["fc1.bias"].add_(1), "check_leaves_trunk", "must leave initial of"),
        (lambda at: at.start.pop("fc1.bias"), "check_leaves_trunk", "must leave start of"),
        (lambda at: at.final.update(x=at.start), "check_leaves_trunk", "must leave final of"),
        (
            lambda at: at.evidence.trained["fc1.bias"].add_(1),
            "check_leaves_trunk",
            "must leave trained of",
        ),
    ],
)
def test_a_row_of_the_table_that_changes_the_trunk_is_found(monkeypatch, spoils, check, told):
    plain = BRANCHES["reset"]

    def spoiling(at):
        spoils(at)
        return plain(at)

    monkeypatch.setitem(BRANCHES, "reset", spoiling)
    with pytest.raises(AssertionError, match=told):
        getattr(checks, check)("reset", CONTROL_NETWORKS[0])


def test_a_row_that_leaves_another_number_or_something_in_pruned_places_is_found(monkeypatch):
    plain = BRANCHES["reset"]

    def emptied(at):
        found = plain(at)
        found.mask["fc1.weight"] = torch.zeros_like(found.mask["fc1.weight"])
        return found

    def filled(at):
        found = plain(at)
        found.start["fc1.weight"].add_(1)
        return found

    for row, told in ((filled, "must leave pruned weights of fc1"), (emptied, r"must leave \d+ w")):
        monkeypatch.setitem(BRANCHES, "reset", row)
        with pytest.raises(AssertionError, match=told):
            checks.check_departure("reset", CONTROL_NETWORKS[0], {})
