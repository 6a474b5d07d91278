import dataclasses

import pytest
import torch

from lttune import masks
from lttune.branches import BRANCHES, random_mask, reinit
from lttune.config import LotteryConfig, ModelConfig
from lttune.models import build
from lttune.seeding import stream
from lttune.starts import Junction

NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
INITIAL = NETWORK.initial_weights(stream(0, 0, "init"))
MOVED = torch.Generator().manual_seed(1)
DENSE = {n: v + 0.1 * torch.randn(v.shape, generator=MOVED) for n, v in INITIAL.items()}
MASK = {
    name: torch.from_numpy(stream(0, 0, "test").random(NETWORK.shapes[name]) < density)
    for name, density in zip(NETWORK.prunable, (0.2, 0.5, 0.8), strict=True)
}


def junction(name="x", level=3, **changes):
    at = Junction(
        mask=MASK,
        initial=INITIAL,
        rewound=INITIAL,
        trained=masks.apply(DENSE, MASK),
        dense=DENSE,
        network=NETWORK,
        config=LotteryConfig(model=NETWORK.config),
        rng=stream(0, 0, name, level),
    )
    return dataclasses.replace(at, **changes)


def test_reinit_keeps_the_mask_and_draws_every_weight_anew():
    leaving = reinit(junction())
    for name, keep in MASK.items():
        assert torch.equal(leaving.mask[name], keep)
        assert (leaving.start[name][keep] != INITIAL[name][keep]).all()
        assert (leaving.start[name][~keep] == 0).all()


def test_random_mask_keeps_the_density_of_every_layer_and_moves_the_places():
    leaving = random_mask(junction())
    assert masks.layer_densities(leaving.mask) == masks.layer_densities(MASK)
    for name, keep in MASK.items():
        assert not torch.equal(leaving.mask[name], keep)
        assert (leaving.start[name][leaving.mask[name]] != 0).all()
        assert (leaving.start[name][~leaving.mask[name]] == 0).all()


def test_random_places_are_spread_evenly():
    keep = torch.zeros(20, 64, dtype=torch.bool)
    keep[:2] = True
    at = junction(mask={"fc1.weight": keep})
    total = sum(random_mask(at).mask["fc1.weight"].int() for _ in range(400))
    # 400 draws at density 0.1: a place is chosen 40 times on average, with deviation 6.
    assert total.float().mean().item() == pytest.approx(40)
    assert 14 < total.min() <= total.max() < 70


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_is_determined_by_its_stream(name):
    one, same = BRANCHES[name](junction(name)), BRANCHES[name](junction(name))
    assert all(torch.equal(one.mask[n], same.mask[n]) for n in one.mask)
    assert all(torch.equal(one.start[n], same.start[n]) for n in one.start)


@pytest.mark.parametrize("name", ["random", "reinit"])
def test_another_level_draws_other_weights(name):
    one, other = (BRANCHES[name](junction(name, level)) for level in (3, 4))
    assert not torch.equal(one.start["fc1.weight"], other.start["fc1.weight"])


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_leaves_the_trunk_as_it_was(name):
    before = {n: keep.clone() for n, keep in MASK.items()}
    weights = {n: value.clone() for n, value in INITIAL.items()}
    BRANCHES[name](junction())
    assert all(torch.equal(MASK[n], before[n]) for n in MASK)
    assert all(torch.equal(INITIAL[n], weights[n]) for n in INITIAL)
