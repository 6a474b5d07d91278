"""The addresses that torchvision downloads datasets from.

A source takes the md5 of every wanted file and returns the files, decompressed and checked. When
it cannot, it raises a ``DataError`` whose text is the reason alone.
"""

from __future__ import annotations

import io
import tarfile
import textwrap
import threading
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlsplit

from lttune.data.files.archives import LIMIT, chosen, decompressed, md5, members
from lttune.errors import DataError

CONNECT_S = 10.0


def mirrors(dataset: str) -> list[str]:
    """Returns the addresses that torchvision downloads its MNIST or FashionMNIST from.

    Each ends in a slash.
    """
    # Importing torchvision takes seconds, and only a first download needs it.
    from torchvision import datasets

    return getattr(datasets, dataset).mirrors


def from_mirrors(dataset: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from the first mirror that has them all, gzipped.

    Raises:
        DataError: with the reason for each mirror.
    """
    reasons = []
    for mirror in mirrors(dataset):
        try:
            return {name: _download(f"{mirror}{name}.gz", wanted[name]) for name in wanted}
        except (OSError, HTTPException, ValueError, DataError) as error:
            reasons.append(f"{urlsplit(mirror).hostname}: {reason(error)}")
    raise DataError("; ".join(reasons))


def archive_url(dataset: str) -> str:
    """Returns the address that torchvision downloads its CIFAR10 or CIFAR100 from."""
    from torchvision import datasets

    return getattr(datasets, dataset).url


def from_archive(dataset: str, wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Returns the wanted files from the tar archive that torchvision downloads.

    Raises:
        DataError: if it cannot be read or lacks a file.
    """
    url = archive_url(dataset)
    try:
        with _connect(url) as response:
            data = decompressed(response.read(LIMIT))
        found = members(io.BytesIO(data))
    except (OSError, HTTPException, ValueError, tarfile.TarError) as error:
        raise DataError(f"{urlsplit(url).hostname}: {reason(error)}") from error
    return chosen(found, wanted)


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


def reason(error: Exception) -> str:
    """Returns what went wrong in at most 100 characters, without secrets."""
    # Other kinds may quote the address of a proxy, which may hold a password.
    if not isinstance(error, OSError | tarfile.TarError | DataError):
        return type(error).__name__
    return textwrap.shorten(str(getattr(error, "reason", error)), 100)
