"""What is done to a dataset before it is used, and what a replicate draws from it."""

from __future__ import annotations

import dataclasses
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data import Dataset, load
from lttune.data.drawn import mislabelled, subsample
from lttune.data.resident import resident
from lttune.data.transforms import as_asked, enlarged, shape_and_classes, shrunk
from lttune.errors import ConfigError
from lttune.store.store import Store
from lttune.training.engines import make
from lttune.trajectory.lab import Lab


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def colours(digits) -> Dataset:
    """A few digits with three channels, 8 x 12 pixels."""
    wide = np.concatenate([digits.train_x[:40], digits.train_x[:40, :, :4]], -1)
    x = np.stack([wide, wide[:, ::-1], 16 - wide], 1)
    return dataclasses.replace(
        digits,
        train_x=x,
        train_y=digits.train_y[:40],
        test_x=x[:7],
        test_y=digits.train_y[:7],
        mean=(0.1, 0.2, 0.3),
        std=(0.5, 0.6, 0.7),
    )


# Pooling and blurring.


@pytest.mark.parametrize("factor", [2, 3, 6])
def test_pooled_pixels_are_rounded_means_halves_to_even(factor):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (5, 3, 6, 12)).astype(np.uint8)
    x[0, 0, :2, :2] = [[0, 1], [0, 1]]  # A half below an even number, and one above.
    x[0, 0, :2, 2:4] = [[1, 2], [1, 2]]
    found = shrunk(x, factor)
    assert (found.shape, found.dtype) == ((5, 3, 6 // factor, 12 // factor), np.uint8)
    for at in np.ndindex(found.shape):
        *lead, row, column = at
        square = x[*lead, row * factor : (row + 1) * factor, column * factor :][:, :factor]
        assert found[at] == round(Fraction(int(square.sum()), factor * factor))


def test_a_white_square_stays_white():
    assert (shrunk(np.full((2, 64, 64), 255, np.uint8), 64) == 255).all()


def test_blurred_pictures_are_squares_of_pooled_ones(colours):
    found = as_asked(colours, DataConfig(name="digits", blur=2))
    assert found.shape == colours.shape
    np.testing.assert_array_equal(found.train_x[..., ::2, ::2], shrunk(colours.train_x, 2))
    np.testing.assert_array_equal(found.test_x[..., 1::2, 1::2], shrunk(colours.test_x, 2))
    np.testing.assert_array_equal(enlarged(np.array([[[1, 2]]]), 2), [[[1, 1, 2, 2]] * 2])


def test_inputs_of_pooled_pictures_are_means_of_inputs(colours):
    whole, _ = resident(colours)
    small, _ = resident(as_asked(colours, DataConfig(name="digits", pool=2)))
    x = whole.slice(0, 40)[0]
    means = x.reshape(40, 3, 4, 2, 6, 2).mean((3, 5))
    # Half a pixel value is lost at most: 0.5 / 16 / std.
    assert (small.slice(0, 40)[0] - means).abs().max() <= 0.5 / 16 / 0.5 + 1e-6


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pool": 3}, "data.pool must divide pictures of 8 x 12, got 3"),
        ({"blur": 8}, "data.blur must divide pictures of 8 x 12, got 8"),
        ({"pool": 4, "blur": 4}, "data.blur must divide pictures of 2 x 3, got 4"),
        ({"task": "rotation"}, "data.task must be 'classes' for pictures of shape (3, 8, 12)"),
    ],
)
def test_what_does_not_fit_the_pictures_is_refused(colours, fields, message):
    for of in (shape_and_classes, as_asked):
        with pytest.raises(ConfigError) as refusal:
            of(colours, DataConfig(name="digits", **fields))
        assert str(refusal.value) == message


@pytest.mark.parametrize(
    "fields",
    [{}, {"pool": 2}, {"blur": 4}, {"task": "rotation"}, {"pool": 2, "task": "rotation"}],
)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_the_outline_is_what_is_prepared(digits, fields, channels):
    data = digits
    if channels:
        x, y = (np.stack([of] * channels, 1) for of in (digits.train_x, digits.test_x))
        data = dataclasses.replace(digits, train_x=x, test_x=y)
    config = DataConfig(name="digits", **fields)
    found = as_asked(data, config)
    assert shape_and_classes(data, config) == (found.shape, found.classes)
    assert found.test_x.shape[1:] == found.shape
    assert found.train_x.dtype == np.uint8


# The rotation task.


def test_every_picture_is_turned_by_four_angles(digits):
    found = as_asked(digits, DataConfig(name="digits", task="rotation"))
    assert found.classes == 4
    count = len(digits.train_y)
    for k in range(4):
        part = slice(k * count, (k + 1) * count)
        assert (found.train_y[part] == k).all()
        for turned, x in zip(found.train_x[part][:20], digits.train_x[:20], strict=True):
            np.testing.assert_array_equal(np.rot90(turned, -k), x)
    assert len(found.test_y) == 4 * len(digits.test_y)
    assert found.train_y.dtype == found.test_y.dtype == np.int64


def test_channels_are_turned_alike(digits):
    x = np.stack([digits.train_x] * 3, 1)
    data = dataclasses.replace(digits, train_x=x, test_x=x[:5], test_y=digits.train_y[:5])
    found = as_asked(data, DataConfig(name="digits", task="rotation")).train_x
    assert (found[:, 0] == found[:, 1]).all()
    np.testing.assert_array_equal(found[len(x) : len(x) + 9, 2], np.rot90(x[:9, 0], 1, (1, 2)))


# Subsamples and wrong labels.

SHARES = st.integers(0, 1000).map(lambda n: n / 1000)


@given(SHARES, st.integers(1, 400))
def test_a_subsample_has_its_share_and_a_smaller_one_is_part_of_it(share, total):
    indices = np.arange(total) * 3
    found = subsample(indices, share, stream(0, 1, "subsample"))
    # The share as it is written: 0.29 of 100 are 29, though 0.29 * 100 is below 29.
    assert len(found) == max(1, int(round(share * 1000) * total // 1000))
    assert len(set(found)) == len(found)
    assert (np.diff(found) > 0).all()
    assert set(found) <= set(indices)
    assert set(subsample(indices, share / 2, stream(0, 1, "subsample"))) <= set(found)


@given(SHARES, st.integers(2, 12))
def test_the_share_of_wrong_labels_is_exact(share, classes):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 400)
    indices = np.sort(rng.permutation(400)[:250])
    found = mislabelled(labels, indices, share, classes, stream(0, 0, "label-noise"))
    wrong = np.flatnonzero(found != labels)
    assert len(wrong) == round(share * 1000) * 250 // 1000
    assert set(wrong) <= set(indices)
    assert ((found >= 0) & (found < classes)).all()
    less = mislabelled(labels, indices, share / 2, classes, stream(0, 0, "label-noise"))
    changed = less != labels
    np.testing.assert_array_equal(less[changed], found[changed])


def test_a_wrong_label_is_any_of_the_others_alike():
    labels = np.full(9000, 3)
    found = mislabelled(labels, np.arange(9000), 1.0, 10, np.random.default_rng(0))
    counts = np.bincount(found, minlength=10)
    assert counts[3] == 0
    # 1,000 each, standard deviation 30.
    assert np.abs(np.delete(counts, 3) - 1000).max() < 130


# In the laboratory: what a replicate learns from.


def material(tmp_path, replicate=0, dataset=None, **fields):
    lab = Lab(
        {"digits": load("digits") if dataset is None else dataset},
        make("torch", "cpu"),
        Store(tmp_path),
    )
    config = LotteryConfig(
        data=DataConfig(name="digits", **fields),
        model=ModelConfig(name="lenet-8"),
        train=TrainConfig(steps=10, eval_every=5, eval_train=50),
    )
    return lab.material(config, replicate)


def test_validation_and_test_labels_stay_true_under_noise(tmp_path, digits):
    plain, noised = (material(tmp_path, label_noise=share) for share in (0.0, 0.5))
    np.testing.assert_array_equal(noised.train, plain.train)
    assert noised.validation.y.equal(plain.validation.y)
    assert noised.test.y.equal(plain.test.y)
    train = plain.train
    wrong = (noised.pool.y[train] != plain.pool.y[train]).sum()
    assert wrong == 600
    assert (noised.pool.y != plain.pool.y).sum() == 600
    np.testing.assert_array_equal(plain.pool.y, digits.train_y)


def test_noise_is_on_the_examples_that_are_used(tmp_path):
    plain, noised = (material(tmp_path, subsample=0.1, label_noise=share) for share in (0.0, 0.25))
    assert len(plain.train) == 120
    assert (noised.pool.y != plain.pool.y).sum() == 30
    assert (noised.pool.y[noised.train] != plain.pool.y[plain.train]).sum() == 30


def test_a_subsample_leaves_validation_as_it_is(tmp_path):
    plain, few = (material(tmp_path, subsample=share) for share in (1.0, 0.5))
    assert set(few.train) < set(plain.train)
    assert few.validation.x.equal(plain.validation.x)
    assert len(few.train) == 600


def test_classes_are_renamed_alike_everywhere(tmp_path, digits):
    plain, renamed = (material(tmp_path, permute_labels=on) for on in (False, True))
    names = dict(zip(plain.pool.y.tolist(), renamed.pool.y.tolist(), strict=True))
    assert sorted(names) == sorted(names.values()) == list(range(10))
    assert names != {c: c for c in range(10)}
    for part in ("pool", "validation", "test", "train_sample"):
        old, new = (getattr(of, part).y.tolist() for of in (plain, renamed))
        assert [names[c] for c in old] == new


@pytest.mark.parametrize(
    "fields", [{"subsample": 0.5}, {"label_noise": 0.5}, {"permute_labels": True}]
)
def test_a_replicate_draws_its_own_and_draws_it_again(tmp_path, fields):
    def drawn(replicate):
        found = material(tmp_path, replicate, **fields)
        return found.train.tobytes() + found.pool.y.numpy().tobytes()

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert first == again
    assert first != other


def test_arrays_that_cannot_be_written_will_do(tmp_path, digits):
    """As Ray hands them to its workers."""
    arrays = {name: getattr(digits, name).copy() for name in ("train_x", "train_y", "test_x")}
    arrays["test_y"] = digits.test_y.copy()
    for array in arrays.values():
        array.flags.writeable = False
    frozen = dataclasses.replace(digits, **arrays)
    fields = {"label_noise": 0.2, "blur": 2, "subsample": 0.5, "augment": "flip-crop"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = material(tmp_path, dataset=frozen, **fields)
        found.pool.batch(torch.arange(9), np.random.default_rng(0))
        as_asked(frozen, DataConfig(name="digits", task="rotation"))
    np.testing.assert_array_equal(frozen.train_y, digits.train_y)
    same = material(tmp_path, **fields)
    assert same.pool.y.equal(found.pool.y)
    assert same.test.y.equal(found.test.y)
