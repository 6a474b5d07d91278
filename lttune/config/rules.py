"""What is asked of the fields of a configuration: everything that is broken is told at once.

``every_rule`` gathers what is broken and raises one ``ConfigError`` with a line for each. Objects
that are made while another one is in work, as a command line makes those of its groups, leave what
they found to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar, get_args

from lttune.config.fields import is_int
from lttune.errors import ConfigError, JointError, LttuneError, legible, quoted, unknown

T = TypeVar("T")

OWN_FILES = ("study.json", "trials.json", "records.parquet", "layers.parquet", "importance.json")
"""Files in which a study keeps what it found; who has the first is one."""
MOST_STEPS, WHY_STEPS = 1_000_000_000, "a network of more would train for weeks"
"""The largest number of optimizer steps, and why."""
MOST_EXAMPLES, WHY_EXAMPLES = 100_000_000, "no dataset that fits into memory has more"
"""The largest number of examples, and why."""
MOST_LEVELS = 200
"""How often a network may be pruned."""
MOST_PASSES, WHY_PASSES = 10_000, "each is a pass over the whole network"
"""How often something may be done over within a level at most, and why."""


class Rules:
    """What has been found broken so far.

    Args:
        outer: the rules of which these are a part.
    """

    def __init__(self, outer: Rules | None = None) -> None:
        self._outer = outer
        self.broken: list[str] = []
        """A line for each rule that is broken, beginning with the path of its field."""
        self.unread: list[str] = []
        """Flags whose values could not be read: the fields are others than was asked for."""

    @property
    def all_read(self) -> bool:
        """Whether every flag could be read; else what stands behind one may be left out too."""
        return not self.unread and (self._outer is None or self._outer.all_read)

    def note(self, error: ConfigError) -> None:
        """Keeps what an error says."""
        self.broken += str(error).split("\n")

    def require(
        self, ok: bool, path: str, rule: str, value: object, given: Collection[str] = ()
    ) -> None:
        """Notes a field, its rule and its value unless ``ok``.

        Args:
            ok: whether the rule is kept.
            path: of the field.
            rule: what the field must be, in words.
            value: what it is.
            given: paths of the fields that the rule goes by: where one of them is broken itself, or
                could not be read, nothing is said.
        """
        if not ok and not any(map(self._is_broken, given)):
            self.broken.append(f"{legible(path)} must be {rule}, got {quoted(value)}")

    def choice(self, path: str, value: object, choices: Any) -> None:
        """Notes a value that is none of a Literal's, or none of some names."""
        names = get_args(choices) or tuple(choices)
        if value not in names:
            self.note(unknown(path, value, names))

    def whole(self, path: str, value: object, least: int, most: int, why: str) -> None:
        """Notes a value that is no whole number of these bounds.

        Args:
            path: of the field.
            value: what it is.
            least: the lowest bound, whose reason everybody knows.
            most: the highest.
            why: its reason, in words.
        """
        if is_int(value) and value > most:
            self.require(False, path, f"at most {most} ({why})", value)
        else:
            ok = is_int(value) and value >= least
            self.require(ok, path, f"a whole number >= {least}", value)

    def beside(self, path: str, value: Path | None) -> None:
        """Notes a file to be written that is one in which a study keeps what it found.

        Args:
            path: of the field.
            value: what it is; None writes nothing.
        """
        if value is not None and value.name in OWN_FILES:
            ok = not os.path.lexists(value.with_name(OWN_FILES[0]))
            self.require(ok, path, "none of a study's own files", str(value))

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Returns what is made, None if a ``ConfigError`` was noted instead."""
        try:
            return make()
        except ConfigError as error:
            self.note(error)
            return None

    def _is_broken(self, path: str) -> bool:
        mine = any(line.startswith(f"{path} must be ") for line in self.broken)
        plain = path.replace("-", "_")
        mine = mine or any(flag.replace("-", "_").endswith(plain) for flag in self.unread)
        return mine or (self._outer is not None and self._outer._is_broken(path))


_IN_WORK: ContextVar[Rules | None] = ContextVar("rules in work", default=None)


@contextlib.contextmanager
def every_rule(*, part: bool = True) -> Iterator[Rules]:
    """Yields rules; what is broken at the end is told together.

    Args:
        part: whether rules that are in work already are told of it, and what follows goes on. If
            not, nothing that follows may see an object that breaks a rule.

    Raises:
        ConfigError: with a line for each broken rule, unless others are told.
    """
    outer = _IN_WORK.get() if part else None
    rules = Rules(outer)
    token = _IN_WORK.set(rules)
    try:
        yield rules
    except ConfigError as error:
        rules.note(error)
    except LttuneError:
        raise
    except Exception:
        # A rule that goes by a broken field may ask for the half of a text.
        if not rules.broken:
            raise
    finally:
        _IN_WORK.reset(token)
    if rules.broken and outer is not None:
        outer.broken += rules.broken
    elif rules.broken:
        raise ConfigError("\n".join(rules.broken))


class Mistakes:
    """Errors of all kinds that have been found so far; what does not depend on them is tried."""

    def __init__(self) -> None:
        self.found: list[LttuneError] = []

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Returns what is made, None if an ``LttuneError`` was noted instead."""
        try:
            return make()
        except LttuneError as error:
            self.found.append(error)
            return None


@contextlib.contextmanager
def every_mistake() -> Iterator[Mistakes]:
    """Yields mistakes; those that were found at the end are told together.

    Raises:
        LttuneError: the only one that was found, or a ``JointError`` of several.
    """
    mistakes = Mistakes()
    yield mistakes
    if len(mistakes.found) == 1:
        raise mistakes.found[0]
    if mistakes.found:
        raise JointError(mistakes.found)
