"""One's own pictures: an .npz file or a folder, by their path."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lttune.config import DataConfig, LotteryConfig, ModelConfig
from lttune.data import load
from lttune.data.files.npz import with_test_part
from lttune.data.files.picture_folder import read
from lttune.errors import ConfigError, DataError
from lttune.store.store import Store
from lttune.training.engines import make
from lttune.trajectory.lab import Lab

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 4, 6)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (12, 4, 6, 3)).astype(np.uint8)
Y = np.arange(12) % 3


def arrays(**changed) -> dict[str, np.ndarray]:
    parts = {"train_x": GREY[:9], "train_y": Y[:9], "test_x": GREY[9:], "test_y": Y[9:]}
    return {name: value for name, value in (parts | changed).items() if value is not None}


@pytest.fixture
def saved(tmp_path):
    def save(**values) -> str:
        path = tmp_path / "own.npz"
        np.savez(path, **values)
        return str(path)

    return save


# .npz files.


def test_an_npz_file_is_a_dataset(saved):
    path = saved(**arrays())
    found = load(path)
    np.testing.assert_array_equal(found.train_x, GREY[:9])
    np.testing.assert_array_equal(found.test_x, GREY[9:])
    assert found.test_y.tolist() == [0, 1, 2]
    assert (found.train_y.dtype, found.classes, found.validation) == (np.int64, 3, 1)
    assert found.mean == pytest.approx((GREY[:9] / 255).mean(), abs=1e-6)
    assert found.std == pytest.approx((GREY[:9] / 255).std(), abs=1e-6)
    assert (found.name, found.scale) == (path, 255)


def test_channels_may_be_first_or_last(saved):
    first = np.moveaxis(COLOUR, -1, 1)
    digests = set()
    for x in (first, COLOUR):
        found = load(saved(**arrays(train_x=x[:9], test_x=x[9:])))
        np.testing.assert_array_equal(found.train_x, first[:9])
        assert found.train_x.flags.c_contiguous
        np.testing.assert_allclose(found.mean, (COLOUR[:9] / 255).mean((0, 1, 2)), atol=1e-6)
        digests.add(found.digest())
    assert len(digests) == 1


@pytest.mark.parametrize("x", [GREY[:, None], GREY[..., None]])
def test_one_channel_is_grey(saved, x):
    found = load(saved(**arrays(train_x=x[:9], test_x=x[9:])))
    assert found.digest() == load(saved(**arrays())).digest()


def test_names_may_be_turned_and_others_lie_beside(saved):
    turned = {"_".join(name.split("_")[::-1]): value for name, value in arrays().items()}
    found = load(saved(**turned, names=np.array(["a", "b", "c"])))
    assert found.digest() == load(saved(**arrays())).digest()


def test_x_and_y_alone_are_split_the_same_each_time(saved):
    path = saved(x=GREY, y=Y.astype(np.uint8))
    first, second = load(path), load(path)
    assert first.digest() == second.digest()
    assert (len(first.train_y), len(first.test_y)) == (10, 2)
    together = np.concatenate([first.train_x, first.test_x])
    assert sorted(map(bytes, together)) == sorted(map(bytes, GREY))
    both = {bytes(x): y for x, y in zip(together, [*first.train_y, *first.test_y], strict=True)}
    assert all(both[bytes(x)] == y for x, y in zip(GREY, Y, strict=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_x": GREY[:9] / 255}, "train_x must be uint8, pixels from 0 to 255, got float64"),
        ({"test_x": GREY[9]}, "test_x must be [N, H, W], [N, H, W, C] or [N, C, H, W], "),
        ({"test_x": GREY[:0]}, "none of them 0, got (0, 4, 6)"),
        ({"train_x": np.zeros((9, 4, 6, 4), np.uint8)}, "1 or 3 channels, first or last, got (9, "),
        ({"train_x": np.zeros((9, 3, 6, 3), np.uint8)}, "1 or 3 channels, first or last, got (9, "),
        ({"test_x": GREY[9:, 1:]}, "test_x must be pictures of train_x's shape (4, 6), got (3, 3"),
        ({"train_y": Y[:8]}, "train_y must be one class for each of the 9 pictures, [9], got (8,)"),
        ({"train_y": Y[:9] / 1}, "train_y must be whole numbers, classes from 0, got float64"),
        ({"train_y": Y[:9] - 1}, "train_y must be classes from 0, got -1"),
        ({"train_y": Y[:9] * 0}, "train_y must be two examples and two classes or more, got [0]"),
        (
            {"train_y": Y[:9] + 1},
            "train_y must be the classes 0 to 3, each with a picture, got none of 0; the labels "
            "begin at 1: subtract 1 from all of them",
        ),
        (
            {"train_y": np.array([0, 2, 2, 5, 5, 5, 8, 0, 2])},
            "train_y must be the classes 0 to 8, each with a picture, got none of 1, 3, 4, 6, 7",
        ),
        ({"test_y": Y[9:] + 1}, "test_y must be the classes 0 to 2 of train_y, got 3"),
        ({"train_x": GREY[:9] * 0 + 7}, "train_x must be pixels that differ, in every channel"),
    ],
)
def test_arrays_that_will_not_do_are_named_with_their_rule(saved, changed, message):
    path = saved(**arrays(**changed))
    with pytest.raises(DataError) as refusal:
        load(path)
    text = str(refusal.value)
    assert text.startswith(path)
    assert message in text
    assert "\n" not in text


def test_of_many_missing_classes_a_few_are_named(saved):
    y = np.repeat([0, 13], 20)
    x = RNG.integers(0, 256, (40, 4, 6)).astype(np.uint8)
    with pytest.raises(DataError, match=r"got none of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more$"):
        load(saved(train_x=x, train_y=y, test_x=x[:2], test_y=y[:2]))


def test_a_drawn_test_part_that_takes_a_class_is_refused(saved):
    y = Y.copy()
    y[load_test_places()] = 7, 5
    with pytest.raises(DataError, match="as the test part took all of 5, 7: give both parts"):
        load(saved(x=GREY, y=y))


def load_test_places() -> np.ndarray:
    """Returns the places of the pictures that are drawn as the test part of 12."""
    parts = with_test_part(Path("x"), np.arange(12), np.zeros(12, int))
    return parts["test_x"]


def test_a_file_that_holds_python_objects_is_not_read(saved):
    class Attack:
        def __reduce__(self):
            return print, ("ran",)

    path = saved(**arrays(train_y=np.array([Attack()] * 9, object)))
    with pytest.raises(DataError, match="holds Python objects"):
        load(path)


def test_a_missing_or_damaged_file_is_one_line(tmp_path, saved):
    with pytest.raises(DataError, match=r"none\.npz does not exist"):
        load(str(tmp_path / "none.npz"))
    path = saved(**arrays())
    data = (tmp_path / "own.npz").read_bytes()
    for damaged in (b"", b"nonsense", data[:-30], data[:200] + b"\xff" * 20 + data[220:]):
        (tmp_path / "own.npz").write_bytes(damaged)
        with pytest.raises(DataError, match=r"own\.npz is damaged") as refusal:
            load(path)
        assert "\n" not in str(refusal.value)


def test_a_name_without_a_slash_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    with pytest.raises(
        ConfigError, match=r"data\.name must be one of \./FILE\.py:FUNCTION, \./FOLDER, PATH\.npz"
    ):
        load("pictures")


# Identity.


def test_a_path_is_in_no_identity(tmp_path, saved):
    path = saved(**arrays())
    moved = str(tmp_path / "elsewhere.npz")
    np.savez(moved, **arrays())
    lab = Lab({p: load(p) for p in (path, moved)}, make("torch", "cpu"), Store(tmp_path / "cells"))
    identities = [
        lab.identity(
            LotteryConfig(data=DataConfig(name=name), model=ModelConfig(name="lenet-4")), 0
        )
        for name in (path, moved)
    ]
    assert identities[0] == identities[1]
    assert str(tmp_path) not in str(identities)
    changed = dataclasses.replace(load(path), train_y=load(path).train_y[::-1])
    assert changed.digest() != load(path).digest()


# Folders.


def paint(folder, pictures, classes, ending="png"):
    for number, (x, name) in enumerate(zip(pictures, classes, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(folder / name / f"{number:02}.{ending}")


NAMES = np.array(["ape", "bee", "cat"])[Y]


@pytest.mark.parametrize("test", ["test", "val"])
@pytest.mark.parametrize("pictures", [GREY, COLOUR])
def test_a_folder_of_train_and_test_is_a_dataset(tmp_path, test, pictures):
    paint(tmp_path / "train", pictures[:9], NAMES[:9])
    paint(tmp_path / test, pictures[9:], NAMES[9:])
    (tmp_path / "train" / ".cache").mkdir()
    (tmp_path / "train" / "ape" / "notes.txt").write_text("no picture")
    found = load(str(tmp_path))
    order = np.argsort(Y[:9], kind="stable")
    expected = pictures[:9][order]
    expected = expected if pictures.ndim == 3 else np.moveaxis(expected, -1, 1)
    np.testing.assert_array_equal(found.train_x, expected)
    assert found.train_y.tolist() == sorted(Y[:9])
    assert found.test_y.tolist() == [0, 1, 2]
    assert found.classes == 3


def test_a_folder_of_classes_is_split(tmp_path):
    paint(tmp_path, GREY, NAMES)
    found = load(str(tmp_path))
    assert (len(found.train_y), len(found.test_y)) == (10, 2)
    assert load(str(tmp_path)).digest() == found.digest()
    assert found.shape == (4, 6)


def test_one_coloured_picture_makes_all_coloured(tmp_path):
    paint(tmp_path, GREY, NAMES)
    Image.fromarray(COLOUR[0]).save(tmp_path / "ape" / "99.png")
    assert load(str(tmp_path)).shape == (3, 4, 6)


def test_pictures_of_several_sizes_are_refused_or_made_squares(tmp_path):
    paint(tmp_path, GREY, NAMES)
    Image.fromarray(np.tile(COLOUR[0], (2, 2, 1))).save(tmp_path / "cat" / "99.png")
    with pytest.raises(DataError, match=r"99\.png must have the 6 x 4 pixels of .*00\.png, got 12"):
        load(str(tmp_path))
    found = read(tmp_path, size=4)
    assert found["train_x"].shape[1:] == (4, 4, 3)
    # The centre of a picture whose shorter edge has that size already is cut, not blurred.
    everything = np.concatenate([found["train_x"], found["test_x"]])
    square = GREY[0][:, 1:5]
    assert any((x == square[..., None]).all() for x in everything)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "ape" / "00.png").write_bytes(b"no"), r"00\.png is damaged or no picture"),
        (
            lambda p: (p / "ape" / "00.png").write_bytes((p / "ape" / "00.png").read_bytes()[:60]),
            r"00\.png is damaged or no picture",
        ),
        (lambda p: (p / "dog").mkdir(), r"dog must hold a picture \(\.bmp, "),
        (lambda p: p.rename(p.with_name("away")), "is no folder of pictures: it is not there"),
        (
            lambda p: [sorted(p.glob("*/*"))[i].unlink() for i in (11, 9, 7, 6, 5, 3, 2, 1)],
            "pictures must hold 5 pictures or more, of which a fifth is the test part, got 4",
        ),
        (
            lambda p: (p.rename(p.with_name("away")), p.write_bytes(b"")),
            "is no folder of pictures: it is a file, and of files only .npz are taken",
        ),
    ],
)
def test_a_folder_that_will_not_do_is_one_line(tmp_path, spoil, message):
    folder = tmp_path / "pictures"
    paint(folder, GREY, NAMES)
    spoil(folder)
    with pytest.raises(DataError, match=message) as refusal:
        load(str(folder))
    assert "\n" not in str(refusal.value)


def test_a_test_class_that_was_never_learned_is_refused(tmp_path):
    paint(tmp_path / "train", GREY[:9], NAMES[:9])
    paint(tmp_path / "test", GREY[:4], ["ape", "bee", "cat", "dog"])
    with pytest.raises(DataError, match=r"test must have the classes of train/, got dog"):
        load(str(tmp_path))
    (tmp_path / "one" / "ape").mkdir(parents=True)
    with pytest.raises(DataError, match="a folder of pictures for each of 2 classes or more"):
        load(str(tmp_path / "one"))
