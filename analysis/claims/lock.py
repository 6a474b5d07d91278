"""The lock: which claims file was fixed, when, and with how many replicates planned.

A claim is confirmatory only if it was fixed before the data were seen. The lock is written before a
study starts and kept in its folder; a claims file that was changed since then decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from analysis.claims.file.claim import Claim
from analysis.claims.file.reader import Registry
from analysis.statistics.sequential.looks import FIRST_LOOK
from lttune.config import require
from lttune.config.fields import is_int
from lttune.errors import ConfigError, DamagedError, StorageError
from lttune.store.files import reason_of
from lttune.store.sealed import read_object, write_object_once

LockRule = Literal["fixed", "sequential"]
"""fixed: claims are judged once, at the planned replicates; sequential: after each, up to these."""
SEQUENTIAL_TIMES, SEQUENTIAL_TIMES_OF_RATIOS = 1.8, 2.9
"""How many times the replicates of a fixed rule a sequential one may take at the most, for no less
power: of differences, and of ratios, of which signs alone are read."""

_EMPTY = "is empty, as writing leaves it that was cut short: remove it"
"""What is said of a file that took its name and was never filled; it locks nothing."""


@dataclass(frozen=True, kw_only=True)
class Lock:
    """What was fixed."""

    sha256: str
    """Of the claims file's bytes."""
    version: str
    """Version of its contents."""
    date: str
    """When, in ISO 8601 with a time zone."""
    n: dict[str, int]
    """Claim -> replicates that are planned; of a sequential rule the most that are read."""
    rule: LockRule = "fixed"
    """By which rule claims are judged, and by no other."""

    @property
    def is_sequential(self) -> bool:
        """Whether claims may be judged after each replicate."""
        return self.rule == "sequential"

    def plain(self) -> dict[str, Any]:
        """Returns the values of the file; that of a fixed rule is that of earlier versions."""
        values = asdict(self)
        return {k: v for k, v in values.items() if (k, v) != ("rule", "fixed")}

    def refusal(self, registry: Registry, created: str | None = None) -> str:
        """Returns why confirmatory verdicts are refused, in one sentence; empty if they are not.

        ``created`` is when the study began.
        """
        if self.sha256 != registry.sha256:
            return (
                f"The claims file ({registry.sha256[:8]}) is not the one that was locked on "
                f"{self.date[:10]} ({self.sha256[:8]}): confirmatory verdicts are refused."
            )
        if created is not None and _time(created) < _time(self.date):
            return (
                f"The claims were locked on {self.date}, after the study began on {created}: "
                "confirmatory verdicts are refused."
            )
        return ""

    def refusal_of_networks(self, trained: datetime | None) -> str:
        """Returns why confirmatory verdicts on some networks are refused; empty if they are not.

        ``trained`` is when the oldest of them was trained. A study that finds its networks in a
        store that an earlier one filled may begin after the lock, and yet its results were known.
        """
        if trained is None or trained >= _time(self.date):
            return ""
        return (
            f"The claims were locked on {self.date}, after its oldest network was trained on "
            f"{trained.isoformat(timespec='seconds')}: confirmatory verdicts are refused."
        )


def lock(
    registry: Registry,
    n: int | None = None,
    date: str | None = None,
    needs: Mapping[str, int] | None = None,
    rule: LockRule = "fixed",
) -> Lock:
    """Returns the lock of a claims file as of now.

    Args:
        registry: the claims.
        n: replicates planned for every claim; None is each claim's own.
        date: another time, in ISO 8601.
        needs: claim -> replicates that decide it by a fixed rule; one that plans fewer is locked
            with as many.
        rule: sequential plans as many more as give no less power; ``n`` is then the most itself.

    Raises:
        ConfigError: if n is below 2, or of a sequential rule below its first look.
    """
    least = FIRST_LOOK if rule == "sequential" else 2
    require(n is None or n >= least, "n", f"a whole number >= {least}", n)
    return Lock(
        sha256=registry.sha256,
        version=registry.version,
        date=date or datetime.now(UTC).isoformat(timespec="seconds"),
        n={
            claim.id: max(n or _most(claim, claim.n, rule), _most(claim, more, rule))
            for claim in registry.claims
            if claim.questions
            for more in [(needs or {}).get(claim.id, 0)]
        },
        rule=rule,
    )


def _most(claim: Claim, n: int, rule: LockRule) -> int:
    """Returns how many replicates may be read where a fixed rule would read n."""
    if rule == "fixed":
        return n
    is_ratio = any(question.is_ratio for question in claim.questions)
    return max(
        FIRST_LOOK, math.ceil(n * (SEQUENTIAL_TIMES_OF_RATIOS if is_ratio else SEQUENTIAL_TIMES))
    )


def write_lock(path: Path, locked: Lock) -> None:
    """Writes a lock; one that is there stays.

    Raises:
        ConfigError: if the file exists: a lock that can be renewed locks nothing.
        StorageError: if it cannot be written.
    """
    try:
        write_object_once(path, locked.plain())
    except FileExistsError:
        if _is_empty(path):
            raise ConfigError(f"{path} {_EMPTY}") from None
        raise ConfigError(f"{path} exists: a lock is written once") from None


def read_lock(path: Path) -> Lock | None:
    """Returns the lock in a file, None if there is no file.

    Raises:
        StorageError: if the file cannot be read, or is no lock.
        RefusedError: if a newer lttune wrote it.
    """
    try:
        values = read_object(path)
    except FileNotFoundError:
        return None
    except DamagedError:
        if _is_empty(path):
            raise DamagedError(f"{path} {_EMPTY}") from None
        raise
    try:
        found = Lock(**values)
        _time(found.date)
        for name in ("sha256", "version"):
            require(isinstance(getattr(found, name), str), name, "a text", getattr(found, name))
        require(found.rule in get_args(LockRule), "rule", "fixed or sequential", found.rule)
        require(all(map(is_int, found.n.values())), "n", "a whole number for each claim", found.n)
    except (ValueError, TypeError, AttributeError) as error:
        raise StorageError(f"{path} is no lock: {reason_of(error)}") from None
    return found


def _is_empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
