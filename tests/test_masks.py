import torch
from hypothesis import given
from hypothesis import strategies as st

from lttune import masks


@given(rows=st.integers(1, 17), columns=st.integers(1, 17), seed=st.integers(0, 999))
def test_packed_bits_unpack_to_the_same_mask(rows, columns, seed):
    keep = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.4
    bits = masks.pack(keep)
    assert bits.numel() == -(-rows * columns // 8)
    assert torch.equal(masks.unpack(bits, (rows, columns)), keep)


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
