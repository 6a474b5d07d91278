"""URLs of object stores: which ones are taken, and what speaks to them.

All of a URL may be shown and recorded: it has no place for a secret. Who may read and write there
is what the machine says: variables, files of the user, or a role of the machine itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lttune.config.fields import require
from lttune.config.passwords import masked_uri

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_CONNECT_S = 3.0
"""Seconds within which a server takes a connection. One that then says nothing for three is given
up by the SDK itself."""
_TRIES = 3
"""Times that S3 is asked, and tells of the last: in all some ten seconds where nobody answers."""
_RETRY_S = 8
"""Seconds within which Google's client tries again; by itself it does for a quarter of an hour."""

_URL = re.compile(
    r"(?P<scheme>[a-z0-9]+)://(?P<bucket>[\w.-]+)(?P<path>(/[\w.=-]+)*)/?(?P<query>\?.*)?"
)
_OPTION = re.compile(r"(\w+)=([\w.:/\[\]-]+)")


@dataclass(frozen=True, kw_only=True)
class StoreUrl:
    """A URL of an object store, taken apart."""

    scheme: str
    bucket: str
    prefix: str
    """Of the names of all objects: empty, or with its / at the end."""
    options: Mapping[str, str]


def _s3(url: StoreUrl) -> FileSystem:
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    options: dict[str, Any] = dict(url.options)
    if named := _named(url):  # pyarrow's client (25.0) does not look for it.
        scheme, _, host = named.rpartition("://")
        options = {"endpoint_override": host.rstrip("/"), "scheme": scheme or "https", **options}
    if not options.keys() & {"region", "endpoint_override"}:
        options["region"] = resolve_s3_region(url.bucket)
    return S3FileSystem(
        **options,
        connect_timeout=_CONNECT_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_TRIES),
        background_writes=False,
        allow_delayed_open=True,  # One request for each object, instead of three.
    )


def _google(url: StoreUrl) -> FileSystem:
    from pyarrow.fs import GcsFileSystem

    # Google's token would go in the clear, and to whoever listens there; emulators ask for none.
    is_emulator = bool(_named(url)) or url.options.get("scheme") == "http"
    limit = timedelta(seconds=_RETRY_S)
    return GcsFileSystem(**url.options, anonymous=is_emulator, retry_time_limit=limit)


_SCHEMES: Mapping[str, tuple[Callable[[StoreUrl], FileSystem], frozenset[str]]] = {
    "s3": (_s3, frozenset({"endpoint_override", "region", "scheme"})),
    "gs": (_google, frozenset({"endpoint_override", "scheme"})),
}
"""Scheme -> what makes its file system, and the options that a query may have, none of them secret
(``lttune.config.passwords.HARMLESS``). Azure's URLs have the container where others have a user,
and what else pyarrow knows by a URL does not put a file in one step."""

_VARIABLES = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "gs": ("CLOUD_STORAGE_EMULATOR_ENDPOINT", "CLOUD_STORAGE_TESTBENCH_ENDPOINT"),
}
"""Scheme -> variables that name its server, the first that is set being the one that counts."""

RULE = (
    "a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX; in a query "
    "endpoint_override=HOST:PORT, scheme=http and region=NAME alone, and neither user nor "
    "password, because credentials are those of the machine"
)


_SCHEMED = re.compile(
    r"(?:s3|s3a|s3n|gs|gcs|az|abfss?|wasbs?|adl|hdfs|https?|ftp|sftp|file):|[a-z][a-z0-9+.-]+:[/\\]",
    re.IGNORECASE,
)
"""How what is meant as a URL begins, slashes or not. One letter is a disk of Windows."""


def is_url(where: str) -> bool:
    """Returns whether a store is behind a URL; else it is in a folder."""
    return "://" in where


def is_mistyped(where: str) -> bool:
    """Returns whether a store is meant to be behind a URL, and would be a folder: s3:/bucket."""
    return not is_url(where) and _SCHEMED.match(where.strip()) is not None


def require_where(field: str, where: str | None) -> None:
    """Raises ``ConfigError`` if a store can be at no such place.

    Args:
        field: that says it.
        where: a folder or a URL; None is no place of its own, and lets pass.
    """
    if where is None:
        return
    is_folder = bool(where.strip()) and not is_mistyped(where)
    is_one = url_parts(where) is not None if is_url(where) else is_folder
    require(is_one, field, RULE, masked_uri(where))


def require_folder(field: str, folder: Path) -> None:
    """Raises ``ConfigError`` if a folder is a URL, of which a path has one slash left.

    Args:
        field: that says it.
        folder: of results, which are behind no URL.
    """
    rule = "a folder; behind a URL there can be networks alone, by --store"
    where = str(folder)
    require(not is_url(where) and not is_mistyped(where), field, rule, masked_uri(where))


def url_parts(text: str) -> StoreUrl | None:
    """Returns a URL taken apart; None if it is none that a store can be at."""
    found = _URL.fullmatch(text)
    if found is None or not text.isascii() or found["scheme"] not in _SCHEMES:
        return None
    pairs = [_OPTION.fullmatch(one) for one in (found["query"] or "?")[1:].split("&") if one]
    options = {pair[1]: pair[2] for pair in pairs if pair}
    names = [name for name in found["path"].split("/") if name]
    is_whole = len(options) == len(pairs) and options.keys() <= _SCHEMES[found["scheme"]][1]
    if not is_whole or any(not name.strip(".") for name in names):
        return None
    prefix = "".join(f"{name}/" for name in names)
    return StoreUrl(scheme=found["scheme"], bucket=found["bucket"], prefix=prefix, options=options)


def endpoint_here(text: str) -> str:
    """Returns the server that this process's environment names for a URL; empty if it names none.

    Names of buckets are unique at Amazon and at Google, and no further.
    """
    url = url_parts(text)
    return _named(url) if url else ""


def variables_of(text: str) -> tuple[str, ...]:
    """Returns the variables that may name the server of a URL."""
    return _VARIABLES[text.partition("://")[0]]


def _named(url: StoreUrl) -> str:
    # Of S3 the URL's own server counts before that of the environment, of Google's client after it.
    if url.scheme == "s3" and "endpoint_override" in url.options:
        return ""
    named = (os.environ.get(variable, "") for variable in _VARIABLES[url.scheme])
    return next(filter(None, named), "")


def file_system_of(url: StoreUrl) -> FileSystem:
    """Returns what speaks to an object store.

    Raises:
        OSError: if its region is asked for and not told.
    """
    make, _ = _SCHEMES[url.scheme]
    return make(url)
