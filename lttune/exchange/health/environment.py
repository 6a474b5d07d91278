"""Whether this machine can run studies: packages, room, and what lies open."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lttune.errors import ResourceError, StorageError
from lttune.exchange.health.inspection import Inspection
from lttune.records.capacity import capacity
from lttune.store.sockets import require_short_names

LEAST_FREE_MB = 1_000
"""Room below which a study of some size may not end; LeNet-300-100's 25 levels take 3 MB."""


def environment_findings(out: Path) -> list[Inspection]:
    """Returns what there is to say of this machine.

    Args:
        out: where results go; it need not be there yet.
    """
    return [*_packages(), _share(), _sockets(), _room(out), *_token()]


def _packages() -> Iterator[Inspection]:
    about = importlib.metadata.metadata("lttune")
    wanted = about["Requires-Python"] or ""
    version = platform.python_version()
    yield _version("Python", version, SpecifierSet(wanted), f"install Python {wanted}")
    for text in importlib.metadata.requires("lttune") or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        mend = f"pip install '{needed.name}{needed.specifier}'"
        try:
            version = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            yield Inspection(
                what=needed.name,
                trouble="is not installed",
                mend=mend,
                exit_code=ResourceError.exit_code,
            )
        else:
            yield _version(needed.name, version, needed.specifier, mend)


def _version(name: str, version: str, wanted: SpecifierSet, mend: str) -> Inspection:
    if wanted.contains(version, prereleases=True):
        return Inspection(what=f"{name} {version}")
    return Inspection(
        what=f"{name} {version}",
        trouble=f"must be {wanted}",
        mend=mend,
        exit_code=ResourceError.exit_code,
    )


def _share() -> Inspection:
    mine = capacity()
    memory = "" if mine.memory is None else f", {mine.memory / 1e9:,.1f} GB by {mine.memory_by}"
    return Inspection(what=f"this job has {mine.cores} cores by {mine.cores_by}{memory}")


def _sockets() -> Inspection:
    what = "names of Ray's sockets"
    try:
        require_short_names()
    except ResourceError as error:
        return Inspection(what=what, trouble=str(error), exit_code=error.exit_code)
    return Inspection(what=what)


def _room(out: Path) -> Inspection:
    place = next(one for one in (out.absolute(), *out.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free / 1e6
    what = f"{free:,.0f} MB are free at {place}"
    if not os.access(place, os.W_OK):
        return Inspection(
            what=what,
            trouble="it cannot be written to",
            mend="give another --out",
            exit_code=StorageError.exit_code,
        )
    if free < LEAST_FREE_MB:
        trouble = f"fewer than {LEAST_FREE_MB:,} MB"
        return Inspection(what=what, trouble=trouble, mend="make room, or give another --out")
    return Inspection(what=what)


def _token() -> Iterator[Inspection]:
    """Looks at Ray's token: whoever reads it runs code on the cluster."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")).expanduser()
    if path.is_file():
        mode = path.stat().st_mode
        is_open = bool(mode & (stat.S_IRGRP | stat.S_IROTH))
        yield Inspection(
            what=f"Ray's token {path}",
            trouble=f"others can read it (mode {stat.S_IMODE(mode):o})" if is_open else "",
            mend=f"chmod 600 {path}" if is_open else "",
            exit_code=ResourceError.exit_code if is_open else 0,
        )
