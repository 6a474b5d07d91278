"""Whether this machine can run studies: packages, cores, memory, and names of sockets."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from lttune.errors import ResourceError
from lttune.exchange.health.inspection import Inspection
from lttune.records.capacity import capacity
from lttune.store.sockets import require_short_names
from lttune.study.checks.packages import wanted_packages


def environment_findings() -> list[Inspection]:
    """Returns what there is to say of this machine's packages, cores and memory."""
    return [*_packages(), _share(), _sockets()]


def _packages() -> Iterator[Inspection]:
    about = importlib.metadata.metadata("lttune")
    wanted = about["Requires-Python"] or ""
    version = platform.python_version()
    yield _version("Python", version, SpecifierSet(wanted), f"install Python {wanted}")
    for needed, installed in wanted_packages():
        mend = f"pip install '{needed.name}{needed.specifier}'"
        if installed is None:
            yield Inspection(
                what=needed.name,
                trouble="is not installed",
                mend=mend,
                exit_code=ResourceError.exit_code,
            )
        else:
            yield _version(needed.name, installed, needed.specifier, mend)


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
        trouble, _, mend = str(error).rpartition("; ")
        return Inspection(what=what, trouble=trouble, mend=mend, exit_code=error.exit_code)
    return Inspection(what=what)
