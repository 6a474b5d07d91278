"""Measurements of one's own see every evaluation, and change no bit of what is trained."""

from __future__ import annotations

import math

import pytest
import torch
from notebooks import CONFIG, assert_same, ends, network
from torch.nn import functional

from lttune import trajectory
from lttune.errors import ConfigError

SHORT = CONFIG.override({"levels": 1})


def careless(step, seen):
    """Writes into all that it gets, and sets whatever PyTorch has for the process."""
    module, (pictures, labels) = seen.module(), seen.examples()
    norm = float(seen.weights[next(iter(seen.mask))].norm())
    for value in (*module.parameters(), *seen.weights.values(), pictures):
        value.data.fill_(math.nan)
    for value in (*seen.mask.values(), labels):
        value.zero_()
    seen.weights.clear()
    torch.manual_seed(step)
    torch.rand(7)
    torch.set_num_threads(3)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.backends.cudnn.deterministic = False
    return {"norm": norm, "step2": torch.tensor(2 * step)}


@pytest.mark.parametrize("engine", ["sparse", "torch", "stacked", "own"])
def test_whatever_a_measurement_does_the_networks_are_the_same_to_the_bit(engine):
    if engine == "sparse":
        pytest.importorskip("numba")
    settings = {"network": network} if engine == "own" else {"engine": engine}
    settings["controls"] = ("reinit", "sibling")
    expected = ends(trajectory(SHORT, **settings))
    found = trajectory(SHORT, measure=careless, **settings)
    assert_same(ends(found), expected)
    table = found.evaluations()
    assert (table["step2"] == 2 * table["step"]).all()
    assert table["norm"].between(0.1, 100).all()
    # The dense network and the ticket, both with a sibling, and a control: three evaluations each.
    assert len(table) == 5 * 3


def test_it_sees_the_network_that_was_evaluated():
    called = []

    def measure(step, seen):
        called.append((seen.branch, seen.level, step))
        module, (pictures, labels) = seen.module(), seen.examples()
        assert not module.training
        for name, keep in seen.mask.items():
            assert not seen.weights[name][~keep].any()
        logits = module(pictures)
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        return {
            "accuracy": (logits.argmax(1) == labels).float().mean(),
            "loss": loss.detach(),
            "gradient": sum(float(p.grad.norm()) for p in module.parameters()),
        }

    found = trajectory(SHORT, controls=("random",), measure=measure)
    table = found.evaluations()
    branches = [("trunk", 0), ("trunk", 1), ("random", 1)]
    assert called == [(*one, step) for one in branches for step in (0, 20, 40)]
    assert table["accuracy"].to_list() == pytest.approx(table["val_accuracy"].to_list())
    assert table["loss"].to_list() == pytest.approx(table["val_loss"].to_list(), rel=1e-4)
    assert (table["gradient"] > 0).all()
    at = found.levels[1].branches["random"].evaluations[1]
    assert (at["step"], at["accuracy"]) == (20, pytest.approx(at["val_accuracy"]))
    list(found)
    assert len(called) == 9


def test_the_generator_of_the_notebook_goes_on_with_its_draws():
    drawn = []
    torch.manual_seed(3)
    expected = [float(torch.rand(1)) for _ in range(6)]
    torch.manual_seed(3)
    found = trajectory(
        SHORT, measure=lambda step, _: {"x": drawn.append(float(torch.rand(1))) or 0}
    )
    list(found)
    assert drawn == expected


def test_an_evaluation_that_diverged_is_not_measured():
    steps = []
    wild = SHORT.override({"train.optimizer": "sgd", "train.lr": 1e8})
    found = trajectory(wild, measure=lambda step, seen: steps.append(step) or {"x": 1})
    assert found.levels[0].diverged
    assert steps == [0]
    assert found.evaluations()["x"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (None, "what measure returns must be a number, or a mapping of names to numbers, got None"),
        (
            {"x": "y"},
            "what measure returns must be finite numbers, or NaN where one is not kn.* {'x': 'y'",
        ),
        ({"x": math.inf}, "what measure returns must be finite numbers, .*, got {'x': inf}"),
        (-math.inf, "what measure returns must be finite numbers, .*, got {'<lambda>': -inf}"),
        (
            {"x": torch.eye(2)},
            r"what measure returns must be finite numbers.*, got \{'x': tensor\(",
        ),
        ({"val_loss": 1}, "what measure returns must be under names other than .*, got 'val_loss'"),
        ({3: 1}, "what measure returns must be under names other than .*, got 3"),
    ],
)
def test_what_is_no_number_with_a_name_of_its_own_is_one_line(values, told):
    with pytest.raises(ConfigError, match=f"^{told}") as raised:
        list(trajectory(SHORT, measure=lambda step, seen: values))
    assert "\n" not in str(raised.value)
