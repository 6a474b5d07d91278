import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.errors import ConfigError
from lttune.models import masks


@settings(deadline=None)
@given(rows=st.integers(1, 17), columns=st.integers(1, 17), seed=st.integers(0, 999))
def test_packed_bits_unpack_to_the_same_mask(rows, columns, seed):
    keep = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.4
    bits = masks.to_bits(keep)
    assert bits.numel() == -(-rows * columns // 8)
    assert torch.equal(masks.from_bits(bits, (rows, columns)), keep)


def test_counts_and_densities():
    mask = {
        "fc1.weight": torch.tensor([[True, False], [False, False]]),
        "out.weight": torch.tensor([True, True]),
    }
    assert (masks.surviving(mask), masks.prunable(mask), masks.density(mask)) == (3, 6, 0.5)
    assert masks.layer_densities(mask) == {"fc1": 0.25, "out": 1.0}


def test_apply_zeroes_what_is_pruned_even_if_it_is_not_finite():
    weights = {"fc1.weight": torch.tensor([1.0, torch.inf, torch.nan]), "fc1.bias": torch.ones(1)}
    masked = masks.apply(weights, {"fc1.weight": torch.tensor([True, False, False])})
    assert masked["fc1.weight"].tolist() == [1.0, 0.0, 0.0]
    masked["fc1.bias"].zero_()
    assert weights["fc1.bias"].item() == 1.0


@settings(deadline=None)
@given(seed=st.integers(0, 999), density=st.floats(0, 1))
def test_what_is_chosen_by_a_mask_is_what_pytorch_chooses(seed, density):
    rng = torch.Generator().manual_seed(seed)
    keep = random_mask(seed, density)["conv1.weight"]
    one, other = (torch.randn(keep.shape, generator=rng) for _ in range(2))
    one.view(-1)[:5] = torch.tensor([torch.nan, -torch.inf, -0.0, 0.0, 1e-42])
    other.view(-1)[:5] = torch.tensor([1.0, torch.nan, torch.nan, -0.0, torch.inf])
    bits = masks.mixed(keep, one, other).view(torch.int32)
    assert torch.equal(bits, torch.where(keep, one, other).view(torch.int32))
    one = one.nan_to_num()
    assert torch.equal(masks.survivors(one, keep), one.masked_select(keep))
    full = torch.zeros(keep.shape).masked_scatter_(keep, one[keep])
    assert torch.equal(masks.spread(masks.survivors(one, keep), keep), full)


def test_layers_have_the_mean_of_their_mask_in_float32():
    mask = random_mask(0, 0.37)
    expected = {n.removesuffix(".weight"): float(k.float().mean()) for n, k in mask.items()}
    assert masks.layer_densities(mask) == expected


def random_mask(seed, density):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"fc1.weight": (9, 7), "conv1.weight": (4, 3, 3, 3), "out.weight": (5, 9)}
    return {
        name: torch.rand(shape, generator=generator) < density for name, shape in shapes.items()
    }


def places(keep):
    return {tuple(place) for place in keep.nonzero().tolist()}


@settings(deadline=None)
@given(seed=st.integers(0, 999), densities=st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_union_intersection_and_jaccard_are_those_of_sets(seed, densities):
    found = [random_mask(seed + i, density) for i, density in enumerate(densities)]
    before = [{name: keep.clone() for name, keep in mask.items()} for mask in found]
    either, both = masks.union(*found), masks.intersection(*found)
    overlap = masks.jaccard(found[0], found[1])
    assert list(overlap) == ["fc1", "conv1", "out"]
    for name, keep in found[0].items():
        sets = [places(mask[name]) for mask in found]
        assert places(either[name]) == set.union(*sets)
        assert places(both[name]) == set.intersection(*sets)
        joined = len(sets[0] | sets[1])
        expected = len(sets[0] & sets[1]) / joined if joined else 1.0
        assert overlap[name.removesuffix(".weight")] == expected
        assert either[name].dtype == both[name].dtype == keep.dtype
    for mask, old in zip(found, before, strict=True):
        assert all(torch.equal(mask[name], old[name]) for name in mask)


def test_one_mask_is_its_own_union_and_overlaps_itself_wholly():
    mask = random_mask(0, 0.3)
    for joined in (masks.union(mask), masks.intersection(mask), masks.union(mask, mask)):
        assert all(torch.equal(joined[name], mask[name]) for name in mask)
    assert masks.jaccard(mask, mask) == {"fc1": 1.0, "conv1": 1.0, "out": 1.0}


def test_independent_masks_overlap_by_chance_alone():
    one, two = (
        {"fc1.weight": torch.rand(500, 500, generator=torch.Generator().manual_seed(seed)) < 0.2}
        for seed in (1, 2)
    )
    assert masks.jaccard(one, two)["fc1"] == pytest.approx(0.2 / 1.8, abs=0.005)


@pytest.mark.parametrize("join", [masks.union, masks.intersection, masks.jaccard])
@pytest.mark.parametrize("name", ["fc1.weight", "fc9.weight"])
def test_masks_of_different_networks_are_refused(join, name):
    other = {**random_mask(0, 0.5), name: torch.ones(2, 2, dtype=torch.bool)}
    with pytest.raises(ConfigError, match=r"masks must be of one network, got .*\(9, 7\)"):
        join(random_mask(0, 0.5), other)
