"""Parts of one's own under their names: the code that is here, or what a study says of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, NoReturn

from lttune.config.own import is_own_code
from lttune.errors import ConfigError, StorageError
from lttune.records.own.code import OwnCode, own_function, read_own_code


@dataclass(frozen=True, kw_only=True)
class OwnPart:
    """A criterion, a schedule and so on of one's own."""

    field: str
    """Path of the setting that names it, e.g. "prune.criterion"."""
    name: str
    """What the setting says."""
    source: str
    """SHA-256 of its code, and of the versions of what that imports."""
    code: OwnCode | None = None
    """None of what only a study describes."""
    run: Callable[..., Any] | None = None
    """Its function, or what reads what it gave; None of what can be neither."""

    @property
    def is_here(self) -> bool:
        """Whether it can be run."""
        return self.run is not None

    def refuse(self, why: str) -> NoReturn:
        """Raises ``ConfigError``: what it gave is not what the setting takes."""
        raise ConfigError(f"{self.field}: {self.name} {why}")

    def called(self, *arguments: Any, given: str = "", on: str = "") -> Any:
        """Returns what its function gives.

        Args:
            arguments: what it is called with.
            given: how a user can give its code where it is not here, for the message.
            on: what it is called with, in words, for the message.

        Raises:
            ConfigError: if that raises an error.
            StorageError: if its code is not here.
        """
        if self.run is None:
            raise StorageError(
                f"{self.field}: this needs the code of {self.name!r}, which no command takes from "
                f"the folder of a study{given}"
            )
        try:
            return self.run(*arguments)
        # What somebody's function raises has no common class, and it may end itself.
        except (Exception, SystemExit) as error:
            if self.code is None:
                raise
            self.code.failed(f"cannot be used{on}", error)


def number_given(found: object) -> float:
    """Returns the number that a function gave; NaN of what is none, or none that a float holds."""
    if not isinstance(found, Real) or isinstance(found, bool):
        return math.nan
    try:
        return float(found)
    except OverflowError:
        return math.nan


KNOWN_PARTS: dict[tuple[str, str], OwnPart] = {}
"""Field and name -> the part that this process knows under them."""


def known_part(field: str, name: str) -> OwnPart:
    """Returns a part that was made known.

    Raises:
        ConfigError: if it was not.
    """
    if (field, name) not in KNOWN_PARTS:
        raise ConfigError(f"{field}: {name} must be made known by lttune.models.own.use")
    return KNOWN_PARTS[field, name]


def use_part(code: OwnCode, name: str) -> None:
    """Makes a part known; its code is run.

    Args:
        code: as it is here.
        name: what the setting says of it, which may be another place.

    Raises:
        ConfigError: if it cannot be imported.
        ResourceError: if a package here is not the one that its digest is of.
    """
    known = KNOWN_PARTS.get((code.field, name))
    if known is None or known.code != code:
        KNOWN_PARTS[code.field, name] = OwnPart(
            field=code.field,
            name=name,
            source=code.digest,
            code=code,
            run=own_function(code),
        )


def use_named(field: str, name: str) -> None:
    """Runs the code that a setting's value names, if it names any.

    Raises:
        ConfigError: if it cannot be imported.
    """
    if is_own_code(name):
        use_part(read_own_code(field, name), name)


def describe_part(field: str, name: str, source: str) -> None:
    """Makes a part known of which a study's sheet says what it was; no code is run."""
    KNOWN_PARTS[field, name] = OwnPart(field=field, name=name, source=source)


def keep_part(field: str, name: str, source: str, read: Callable[[], Any]) -> None:
    """Makes a part known of which a study keeps what it gave; no code is run."""
    KNOWN_PARTS[field, name] = OwnPart(field=field, name=name, source=source, run=read)


def own_identity(field: str, name: str) -> dict[str, str]:
    """Returns what of a setting is in an identity, under the last part of its path.

    Of a row of a table that is its name; of code of one's own what stands before the function is a
    place, and what is there has a digest.
    """
    key = field.rpartition(".")[2]
    if not is_own_code(name):
        return {key: name}
    return {key: name.rpartition(":")[2], f"{key}_source": known_part(field, name).source}
