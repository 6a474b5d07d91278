"""The masks of controls: how many survive, and where."""

import dataclasses
import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from junctions import CONFIG, DENSE, INITIAL, MASK, junction, leaving

from lttune.config import (
    PruneConfig,
)
from lttune.models import masks
from lttune.trajectory.branches import ANYWHERE, BRANCHES
from lttune.trajectory.branches.other_masks import apportioned

OTHER_PLACES = ("random", "random_scaled", "shuffle", "transfer_random", "one_shot")
SAME_MASK = [name for name in sorted(BRANCHES) if name not in {*OTHER_PLACES, *ANYWHERE}]


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_which_controls_have_the_tickets_mask(name):
    found = leaving(name)
    same = all(torch.equal(found.mask[n], MASK[n]) for n in MASK)
    assert same == (name in SAME_MASK)


@pytest.mark.parametrize("name", OTHER_PLACES)
def test_other_places_keep_the_density_of_every_layer(name):
    assert masks.layer_densities(leaving(name).mask) == masks.layer_densities(MASK)


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
