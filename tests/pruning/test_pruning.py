import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pruned import KINDS, SHAPES, dense, network_of, prune, random_weights
from torch.nn.utils import prune as torch_prune

from lttune.config import LotteryConfig, PruneConfig
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import layer_fractions


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("global", {"a.weight": [False, False], "b.weight": [True, True]}),
        ("layer", {"a.weight": [False, True], "b.weight": [False, True]}),
    ],
)
def test_smallest_magnitudes_go_first(scope, expected):
    weights = {"a.weight": torch.tensor([0.1, -0.2]), "b.weight": torch.tensor([3.0, -4.0])}
    config = PruneConfig(scope=scope, fraction=0.5, fractions={})
    pruned = prune(weights, masks.ones(weights, list(weights)), config, {"a": "fc", "b": "fc"})
    assert {name: keep.tolist() for name, keep in pruned.items()} == expected


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        ({}, {"fc1": 0.2, "fc2": 0.2, "out": 0.2}),
        ({"out": 0.1}, {"fc1": 0.2, "fc2": 0.2, "out": 0.1}),
        ({"fc": 0.3}, {"fc1": 0.3, "fc2": 0.3, "out": 0.2}),
        ({"fc": 0.3, "fc2": 0.4}, {"fc1": 0.3, "fc2": 0.4, "out": 0.2}),
    ],
)
def test_a_fraction_is_found_by_layer_name_then_by_kind(fractions, expected):
    assert layer_fractions(PruneConfig(fractions=fractions), KINDS) == expected


def test_an_unknown_layer_is_refused_with_the_valid_names_and_the_nearest():
    with pytest.raises(ConfigError, match=r"fc, fc1, fc2, out; got 'fc4'; did you mean 'fc"):
        prune(random_weights(0), dense(), PruneConfig(fractions={"fc4": 0.2}), KINDS)


@pytest.mark.parametrize("scope", ["layer", "kind", "global"])
def test_what_is_excluded_keeps_no_fraction_from_being_read(scope):
    # The default gives the layer of the logits a fraction of its own.
    config = LotteryConfig(levels=1, prune=PruneConfig(scope=scope, exclude=("out",)))
    network = network_of(random_weights(0), KINDS).excluding(config.prune.exclude)
    assert planned_densities(config, network) == [1.0, 0.8]


def test_layerwise_counts_equal_an_independent_count_over_ten_levels():
    config = PruneConfig(fractions={"fc1": 0.2, "fc2": 0.35, "out": 0.1})
    rates = {"fc1": Fraction(1, 5), "fc2": Fraction(7, 20), "out": Fraction(1, 10)}
    left = {name: math.prod(shape) for name, shape in SHAPES.items()}
    mask = dense()
    for level in range(10):
        mask = prune(random_weights(level), mask, config, KINDS)
        for name in left:
            gone = int(rates[name.removesuffix(".weight")] * left[name])
            assert left[name] - int(mask[name].sum()) == gone
            left[name] = int(mask[name].sum())


def test_masks_equal_pytorchs_own_layerwise_pruning_over_ten_levels():
    config = PruneConfig(fraction=0.2, fractions={})
    mask = dense()
    modules = {name: torch.nn.Linear(*reversed(shape)) for name, shape in SHAPES.items()}
    for level in range(10):
        weights = random_weights(level)
        for name, module in modules.items():
            count = math.floor(0.2 * int(mask[name].sum()))
            kept = mask[name].float()
            # PyTorch ranks stale originals if a module stays pruned, so each level starts fresh.
            fresh = torch.nn.Linear(module.in_features, module.out_features)
            fresh.weight.data = weights[name]
            torch_prune.custom_from_mask(fresh, "weight", kept)
            torch_prune.l1_unstructured(fresh, "weight", amount=count)
            modules[name] = fresh
        mask = prune(weights, mask, config, KINDS)
        for name, module in modules.items():
            assert torch.equal(mask[name], module.weight_mask.bool())


def test_masks_equal_pytorchs_own_global_pruning_over_ten_levels():
    config = PruneConfig(scope="global", fraction=0.3, fractions={})
    mask = dense()
    for level in range(10):
        weights = random_weights(100 + level)
        modules = []
        for name, shape in SHAPES.items():
            module = torch.nn.Linear(*reversed(shape))
            module.weight.data = weights[name]
            torch_prune.custom_from_mask(module, "weight", mask[name].float())
            modules.append((module, "weight"))
        count = math.floor(0.3 * masks.surviving(mask))
        torch_prune.global_unstructured(modules, torch_prune.L1Unstructured, amount=count)
        mask = prune(weights, mask, config, KINDS)
        for (module, _), name in zip(modules, SHAPES, strict=True):
            assert torch.equal(mask[name], module.weight_mask.bool())


def test_a_fraction_means_its_decimals():
    weights = {"fc1.weight": torch.arange(100.0)}
    config = PruneConfig(fraction=0.29, fractions={})
    mask = prune(weights, masks.ones(weights, ["fc1.weight"]), config, {"fc1": "fc"})
    assert math.floor(0.29 * 100) == 28  # The binary product is just below 29.
    assert masks.surviving(mask) == 71


def test_ties_go_by_position_first_removed():
    weights = {"fc1.weight": torch.full((2, 5), 0.5)}
    mask = masks.ones(weights, ["fc1.weight"])
    config = PruneConfig(fraction=0.3, fractions={})
    pruned = prune(weights, mask, config, {"fc1": "fc"})["fc1.weight"]
    assert pruned.flatten().tolist() == [False] * 3 + [True] * 7


def test_current_weights_are_ranked_not_those_of_an_earlier_level():
    # torch.nn.utils.prune ranks the original weights of a module that is pruned already.
    config, kinds = PruneConfig(fraction=0.25, fractions={}), {"fc1": "fc"}
    mask = {"fc1.weight": torch.tensor([False, True, True, True, True])}
    weights = {"fc1.weight": torch.tensor([9.0, 4.0, 0.1, 3.0, 2.0])}
    assert prune(weights, mask, config, kinds)["fc1.weight"].tolist() == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_a_surviving_weight_of_zero_still_counts_as_a_survivor():
    weights = {"fc1.weight": torch.tensor([0.0, 0.0, 1.0, 2.0])}
    mask = {"fc1.weight": torch.ones(4, dtype=torch.bool)}
    pruned = prune(weights, mask, PruneConfig(fraction=0.25, fractions={}), {"fc1": "fc"})
    assert pruned["fc1.weight"].tolist() == [False, True, True, True]


def test_inputs_are_left_as_they_were():
    weights, mask = random_weights(0), dense()
    before = {name: keep.clone() for name, keep in mask.items()}
    prune(weights, mask, PruneConfig(scope="global", fractions={}), KINDS)
    assert all(torch.equal(mask[name], before[name]) for name in mask)


@settings(max_examples=60, deadline=None)
@given(
    fraction=st.floats(0.01, 0.99),
    scope=st.sampled_from(["layer", "global"]),
    seed=st.integers(0, 10_000),
    ties=st.booleans(),
    levels=st.integers(1, 4),
)
def test_laws_of_pruning(fraction, scope, seed, ties, levels):
    config = PruneConfig(scope=scope, fraction=fraction, fractions={})
    mask = dense()
    for level in range(levels):
        weights = random_weights(seed + level)
        if ties:
            weights = {name: (w * 2).round() / 2 for name, w in weights.items()}
        smaller = prune(weights, mask, config, KINDS)
        again = prune(weights, mask, config, KINDS)
        groups = [list(SHAPES)] if scope == "global" else [[name] for name in SHAPES]
        for names in groups:
            before = sum(int(mask[name].sum()) for name in names)
            after = sum(int(smaller[name].sum()) for name in names)
            assert before - after == math.floor(Fraction(repr(fraction)) * before)
            gone = [weights[n].abs()[mask[n] & ~smaller[n]] for n in names]
            kept = [weights[n].abs()[smaller[n]] for n in names]
            if sum(map(len, gone)) and sum(map(len, kept)):
                assert torch.cat(gone).max() <= torch.cat(kept).min()
        for name in SHAPES:
            assert not (smaller[name] & ~mask[name]).any()
            assert torch.equal(smaller[name], again[name])
        mask = smaller
