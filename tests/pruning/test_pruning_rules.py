"""Laws that hold under every rule: criteria, scopes, schedules, one shot, channels."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pruned import network_of, prune
from torch.nn.utils import prune as torch_prune

from lttune.config import LotteryConfig, PruneConfig
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.pruning.criteria import CRITERIA
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import Group, competing_groups, planned_removals

MIXED_KINDS = {"conv1": "conv", "conv2": "conv", "fc1": "fc", "out": "out"}
MIXED_SHAPES = {
    "conv1.weight": (7, 3, 3, 3),
    "conv2.weight": (6, 7, 3, 3),
    "fc1.weight": (11, 24),
    "out.weight": (5, 11),
}


def mixed_weights(seed):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in MIXED_SHAPES.items()}


def groups_of(config):
    if config.scope == "global":
        return [list(MIXED_SHAPES)]
    kinds = [MIXED_KINDS[name.removesuffix(".weight")] for name in MIXED_SHAPES]
    keys = kinds if config.scope == "kind" else list(MIXED_SHAPES)
    return [[n for n, k in zip(MIXED_SHAPES, keys, strict=True) if k == key] for key in set(keys)]


def counts_of(mask, groups):
    return [sum(int(mask[name].sum()) for name in names) for names in groups]


rules = st.builds(
    dict,
    scope=st.sampled_from(["layer", "kind", "global", "channel"]),
    fraction=st.floats(0.2, 0.9),
    rounds=st.sampled_from([1, 2, 7]),
    one_shot=st.one_of(st.none(), st.floats(0.15, 0.95)),
    fractions=st.sampled_from([{}, {"out": 0.1}, {"conv": 0.2, "out": 0}, {"conv": 0.45}]),
)


def config_of(rule):
    """Returns a configuration; a channel is a structure in layer scope."""
    if rule["scope"] == "channel":
        return PruneConfig(**{**rule, "scope": "layer", "structure": "channel"})
    return PruneConfig(**rule)


@settings(max_examples=150, deadline=None)
@given(rule=rules, seed=st.integers(0, 999))
def test_planned_densities_are_what_comes_under_every_rule(rule, seed):
    config = LotteryConfig(levels=1 if rule["one_shot"] else 5, prune=config_of(rule))
    weights = mixed_weights(seed)
    try:
        planned = planned_densities(config, network_of(weights, MIXED_KINDS))
    except ConfigError:
        return  # Something that cannot be reached or removes nothing: tested by name below.
    mask = masks.ones(weights, list(MIXED_SHAPES))
    for level, expected in enumerate(planned):
        if level > 0:
            smaller = prune(mixed_weights(seed + level), mask, config.prune, MIXED_KINDS)
            assert not any((smaller[name] & ~mask[name]).any() for name in mask)
            mask = smaller
        assert masks.density(mask) == expected
    if config.prune.structure == "channel":
        for keep in mask.values():
            rows = keep.flatten(1)
            assert torch.equal(rows.any(1), rows.all(1))
        assert mask["out.weight"].all()


@settings(max_examples=100, deadline=None)
@given(rule=rules, density=st.floats(0.01, 0.99), seed=st.integers(0, 999))
def test_one_shot_leaves_exactly_the_density_or_the_nearest_below(rule, density, seed):
    config = config_of({**rule, "one_shot": density})
    weights = mixed_weights(seed)
    mask = prune(weights, masks.ones(weights, list(MIXED_SHAPES)), config, MIXED_KINDS)
    wanted = math.floor(Fraction(repr(density)) * masks.prunable(mask))
    whole = [n for n in MIXED_SHAPES if n == "out.weight" and config.structure == "channel"]
    if config.scope != "global" and rule["fractions"].get("out") == 0:
        whole = ["out.weight"]
    least = sum(mask[name].numel() for name in whole)
    if least > wanted:
        return  # Refused before training.
    assert all(mask[name].all() for name in whole)
    if config.structure == "weight":
        assert masks.surviving(mask) == wanted
    else:
        units = [m[0].numel() for n, m in mask.items() if not m.all() and n not in whole]
        assert 0 <= wanted - masks.surviving(mask) < max(units)


@pytest.mark.parametrize("level", [1, 3, 8, 15, 22])
def test_one_shot_divides_the_weights_as_so_many_levels_do(level):
    kinds = {"fc1": "fc", "fc2": "fc", "out": "out"}
    shapes = {"fc1": (300, 784), "fc2": (100, 300), "out": (10, 100)}
    dense = [math.prod(shape) for shape in shapes.values()]
    groups = competing_groups(PruneConfig(), kinds)
    left = dense
    for _ in range(level):
        gone = planned_removals(PruneConfig(), groups, left, [1] * 3)
        left = [count - less for count, less in zip(left, gone, strict=True)]
    # 0.8^22 of fc1 is 1,735; rounding up leaves at most 1 / fraction more in a layer.
    config = PruneConfig(one_shot=sum(left) / sum(dense))
    gone = planned_removals(config, groups, dense, [1] * 3)
    once = [count - less for count, less in zip(dense, gone, strict=True)]
    assert abs(sum(once) - sum(left)) <= 1  # The quotient in decimals may be just below.
    for found, expected, fraction in zip(once, left, [0.2, 0.2, 0.1], strict=True):
        assert abs(found - expected) <= 2 + 1 / fraction


def test_one_shot_gives_a_unit_too_many_back_to_the_group_that_lost_most_of_one():
    groups = [Group(names=[name], fraction=0.5) for name in "abc"]
    # a and b fall below 99 together, from 99 + 99 + 6 to 98 + 98 + 6: one of them keeps its 99th.
    config = PruneConfig(one_shot=203 / 207 + 1e-9)
    assert planned_removals(config, groups, [100, 100, 7], [1, 1, 1]) == [1, 2, 1]


def test_a_density_that_whole_layers_forbid_is_refused():
    config = LotteryConfig(levels=1, prune=PruneConfig(one_shot=0.05, fractions={"conv": 0}))
    with pytest.raises(ConfigError, match=r"prune\.one_shot must be reachable: .* 0\.6"):
        planned_densities(config, network_of(mixed_weights(0), MIXED_KINDS))


@pytest.mark.parametrize(
    "rule", [{"fractions": dict.fromkeys(["conv", "fc", "out"], 0)}, {"exclude": ("conv", "fc")}]
)
def test_a_rule_under_which_nothing_goes_is_refused(rule):
    prune_config = PruneConfig(structure="channel", **rule)
    network = network_of(mixed_weights(0), MIXED_KINDS).excluding(prune_config.exclude)
    with pytest.raises(ConfigError, match=r"prune\.fractions must let something go"):
        planned_densities(LotteryConfig(levels=2, prune=prune_config), network)
    assert planned_densities(LotteryConfig(levels=0, prune=prune_config), network) == [1.0]


def test_channel_masks_equal_pytorchs_own_structured_pruning_over_six_levels():
    config = PruneConfig(structure="channel", fraction=0.3, fractions={})
    mask = masks.ones(mixed_weights(0), list(MIXED_SHAPES))
    for level in range(6):
        weights, expected = mixed_weights(level), {}
        for name, value in weights.items():
            rows = int(mask[name].flatten(1).any(1).sum())
            module = torch.nn.Linear(1, 1)
            module.weight = torch.nn.Parameter(value)
            torch_prune.custom_from_mask(module, "weight", mask[name].float())
            if name != "out.weight":
                # A container of PyTorch takes an amount of the channels that are alive.
                count = math.floor(Fraction(3, 10) * rows)
                torch_prune.ln_structured(module, "weight", amount=count, n=1, dim=0)
            expected[name] = module.weight_mask.bool()
        mask = prune(weights, mask, config, MIXED_KINDS)
        assert all(torch.equal(mask[name], expected[name]) for name in mask)
    assert int(mask["conv1.weight"].flatten(1).any(1).sum()) < 7


@pytest.mark.parametrize("scope", ["layer", "kind", "global", "channel"])
def test_like_leaves_each_group_what_another_mask_has_there(scope):
    rule = {"scope": scope, "fraction": 0.5, "fractions": {}}
    dense = masks.ones(mixed_weights(0), list(MIXED_SHAPES))
    like = prune(mixed_weights(1), dense, config_of(rule), MIXED_KINDS)
    config = config_of({**rule, "fraction": 0.1, "rounds": 3})
    mask = prune(mixed_weights(2), dense, config, MIXED_KINDS, like)
    groups = groups_of(config)
    assert counts_of(mask, groups) == counts_of(like, groups)
    assert any(not torch.equal(mask[name], like[name]) for name in mask)


@settings(max_examples=40, deadline=None)
@given(
    rule=rules,
    seed=st.integers(0, 999),
    powers=st.lists(st.integers(-9, 9), min_size=4, max_size=4),
)
def test_only_ratios_of_competing_weights_count(rule, seed, powers):
    config, weights = config_of(rule), mixed_weights(seed)
    if config.scope != "layer":
        powers = powers[:1] * 4
    scaled = {n: v * 2.0**p for (n, v), p in zip(weights.items(), powers, strict=True)}
    dense = masks.ones(weights, list(weights))
    one, two = (prune(w, dense, config, MIXED_KINDS) for w in (weights, scaled))
    assert all(torch.equal(one[name], two[name]) for name in one)


@settings(max_examples=40, deadline=None)
@given(rule=rules, seed=st.integers(0, 999))
def test_weights_that_change_places_take_their_fate_along(rule, seed):
    config, weights = config_of(rule), mixed_weights(seed)
    generator = torch.Generator().manual_seed(seed)
    orders = {n: torch.randperm(len(v), generator=generator) for n, v in weights.items()}
    moved = {name: value[orders[name]] for name, value in weights.items()}
    dense = masks.ones(weights, list(weights))
    one, two = (prune(w, dense, config, MIXED_KINDS) for w in (weights, moved))
    assert all(torch.equal(one[name][orders[name]], two[name]) for name in one)


@settings(max_examples=40, deadline=None)
@given(rule=rules, seed=st.integers(0, 999))
def test_the_scopes_are_the_same_for_a_single_layer(rule, seed):
    weights = {"fc1.weight": mixed_weights(seed)["fc1.weight"]}
    found = []
    for scope in ("layer", "kind", "global"):
        config = PruneConfig(**{**rule, "scope": scope, "fractions": {}})
        found.append(prune(weights, masks.ones(weights, list(weights)), config, {"fc1": "fc"}))
    assert torch.equal(found[0]["fc1.weight"], found[1]["fc1.weight"])
    assert torch.equal(found[0]["fc1.weight"], found[2]["fc1.weight"])


def test_rounds_remove_in_equal_ratios_and_score_the_survivors_anew(monkeypatch):
    seen = []

    def counted(evidence):
        seen.append({name: int(keep.sum()) for name, keep in evidence.mask.items()})
        assert all((evidence.trained[n][~keep] == 0).all() for n, keep in evidence.mask.items())
        return {name: evidence.trained[name].abs() for name in evidence.mask}

    monkeypatch.setitem(CRITERIA, "magnitude", counted)
    weights = {"fc1.weight": torch.randn(100, 100, generator=torch.Generator().manual_seed(0))}
    config = PruneConfig(rounds=4, one_shot=0.0625, fractions={})
    mask = prune(weights, masks.ones(weights, ["fc1.weight"]), config, {"fc1": "fc"})
    assert [found["fc1.weight"] for found in seen] == [10_000, 5_000, 2_500, 1_250]
    assert masks.surviving(mask) == 625


def test_ties_of_channels_go_by_position():
    weights = {"fc1.weight": torch.tensor([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0], [9.0, 9.0]])}
    config = PruneConfig(structure="channel", fraction=0.5, fractions={})
    mask = prune(weights, masks.ones(weights, ["fc1.weight"]), config, {"fc1": "fc"})
    assert mask["fc1.weight"].any(1).tolist() == [False, False, True, True]


def test_a_trajectory_ends_at_the_first_level_that_is_no_denser_than_asked():
    weights = {"fc1.weight": torch.ones(8, 8), "out.weight": torch.ones(4, 8)}
    network = network_of(weights, {"fc1": "fc", "out": "out"})
    config = LotteryConfig(levels=5, prune=PruneConfig(fraction=0.5, fractions={}))
    for least, expected in ((0.5, [1.0, 0.5]), (0.49, [1.0, 0.5, 0.25]), (0.25, [1.0, 0.5, 0.25])):
        assert planned_densities(config.override({"min_density": least}), network) == expected
