import pytest
import torch

from lttune import masks
from lttune.branches import BRANCHES, random_mask, reinit
from lttune.config import ModelConfig
from lttune.models import build
from lttune.seeding import stream

NETWORK = build(ModelConfig(name="lenet-20-10"), (8, 8), 10)
START = NETWORK.initial_weights(stream(0, 0, "init"))
MASK = {
    name: torch.from_numpy(stream(0, 0, "test").random(NETWORK.shapes[name]) < density)
    for name, density in zip(NETWORK.prunable, (0.2, 0.5, 0.8), strict=True)
}


def branch(name, level=3):
    return BRANCHES[name](MASK, masks.apply(START, MASK), NETWORK, stream(0, 0, name, level))


def test_reinit_keeps_the_mask_and_draws_every_weight_anew():
    mask, start = reinit(MASK, START, NETWORK, stream(0, 0, "reinit", 1))
    for name, keep in MASK.items():
        assert torch.equal(mask[name], keep)
        assert (start[name][keep] != START[name][keep]).all()
        assert (start[name][~keep] == 0).all()


def test_random_mask_keeps_the_density_of_every_layer_and_moves_the_places():
    mask, start = random_mask(MASK, START, NETWORK, stream(0, 0, "random", 1))
    assert masks.layer_densities(mask) == masks.layer_densities(MASK)
    for name, keep in MASK.items():
        assert not torch.equal(mask[name], keep)
        assert (start[name][mask[name]] != 0).all()
        assert (start[name][~mask[name]] == 0).all()


def test_random_places_are_spread_evenly():
    keep = {"fc1.weight": torch.zeros(20, 64, dtype=torch.bool)}
    keep["fc1.weight"][:2] = True
    network = build(ModelConfig(name="lenet-20"), (8, 8), 10)
    rng = stream(0, 0, "random", 1)
    total = sum(random_mask(keep, START, network, rng)[0]["fc1.weight"].int() for _ in range(400))
    # 400 draws at density 0.1: a place is chosen 40 times on average, with deviation 6.
    assert total.float().mean().item() == pytest.approx(40)
    assert 14 < total.min() <= total.max() < 70


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_is_determined_by_its_stream(name):
    (mask, start), (again_mask, again_start) = branch(name), branch(name)
    assert all(torch.equal(mask[n], again_mask[n]) for n in mask)
    assert all(torch.equal(start[n], again_start[n]) for n in start)
    assert not torch.equal(start["fc1.weight"], branch(name, level=4)[1]["fc1.weight"])


@pytest.mark.parametrize("name", sorted(BRANCHES))
def test_a_branch_leaves_the_trunk_as_it_was(name):
    before = {n: keep.clone() for n, keep in MASK.items()}
    branch(name)
    assert all(torch.equal(MASK[n], before[n]) for n in MASK)
