"""Augmentation against torchvision's crop and flip, given the same offsets."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.augmentation import PADDING, augmented
from lttune.data.resident import resident


def pictures(shape: tuple[int, ...], count: int = 64) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, *shape)).astype(np.uint8))


def expected(x: torch.Tensor, name: str, rng: np.random.Generator) -> torch.Tensor:
    """torchvision's functions, a picture at a time, with the numbers that the stream draws."""
    out = list(x if x.ndim == 4 else x[:, None])
    if "flip" in name:
        flips = rng.random(len(x)) < 0.5
        out = [functional.hflip(p) if flip else p for p, flip in zip(out, flips, strict=True)]
    if "crop" in name:
        down, right = rng.integers(0, 2 * PADDING + 1, (2, len(x)))
        height, width = x.shape[-2:]
        out = [
            functional.crop(functional.pad(p, [PADDING] * 4), int(d), int(r), height, width)
            for p, d, r in zip(out, down, right, strict=True)
        ]
    return torch.stack(out).reshape(x.shape)


@pytest.mark.parametrize("name", ["flip", "crop", "flip-crop"])
@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (1, 8, 8), (3, 8, 8), (3, 6, 10)])
def test_pictures_are_flipped_and_cropped_as_torchvision_does(name, shape):
    x = pictures(shape)
    found = augmented(x, name, stream(0, 0, "order-noise", 1))
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected(x, name, stream(0, 0, "order-noise", 1)))
    assert not torch.equal(found, x)


def test_every_offset_occurs_and_half_are_flipped():
    x = torch.zeros((4000, 9, 9), dtype=torch.uint8)
    x[:, 4, 4] = 1
    where = augmented(x, "crop", np.random.default_rng(0)).flatten(1).argmax(1)
    counts = torch.bincount(where, minlength=81)
    # 81 offsets, 4,000 / 81 = 49 each, standard deviation 7.
    assert counts.min() > 15
    assert counts.max() < 90
    x = torch.arange(2, dtype=torch.uint8).expand(4000, 1, 2)
    flipped = augmented(x, "flip", np.random.default_rng(0))[:, 0, 0].float().mean()
    assert flipped == pytest.approx(0.5, abs=0.04)


def test_a_stream_decides_what_is_done_and_the_pictures_stay():
    x = pictures((3, 8, 8))
    before = x.clone()
    drawn = [augmented(x, "flip-crop", stream(0, r, "order-noise", 0)) for r in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(x, before)


def test_only_batches_with_a_stream_are_augmented():
    pool, _ = resident(load("digits"))
    moved = type(pool)(pool.x, pool.y, pool.shift, pool.gain, augment="crop")
    index = torch.arange(32)
    plain, labels = pool.batch(index)
    assert torch.equal(moved.batch(index)[0], plain)
    found, same = moved.batch(index, np.random.default_rng(0))
    assert torch.equal(same, labels)
    x = augmented(pool.x[index], "crop", np.random.default_rng(0))
    np.testing.assert_array_equal(found, (x.float() - pool.shift) * pool.gain)
    # What is measured, on the training sample too, is never augmented.
    assert moved.take(np.arange(5)).augment == "none"
