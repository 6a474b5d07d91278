"""What is asked of the fields of a configuration: everything that is broken is told at once.

``every_rule`` gathers what is broken and raises one ``ConfigError`` with a line for each. Objects
that are made while another one is in work, as a command line makes those of its groups, leave what
they found to it.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lttune.config.fields import as_python, as_tuple, is_int
from lttune.config.passwords import masked
from lttune.errors import ConfigError, JointError, LttuneError, legible, quoted, unknown

T = TypeVar("T")

CLAIMS_LOCK = "claims.lock.json"
"""File of a study that says which claims it was planned for: it is written once."""
OWN_FILES = (
    "study.json",
    *("trials.json", "records.parquet", "layers.parquet", "curves.parquet"),
    *("trials.journal", "records.journal", "layers.journal"),
    "importance.json",
    CLAIMS_LOCK,
    "claims.yaml",
    "answer.txt",
    *("report.html", "report.json"),
    "unchanged.json",
    "driver.json",
    "progress.json",
    "lock",
)
"""Files of a study's folder that no command is told to write; who has the first is one."""
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
        self._kinds: dict[str, str] = {}
        self.broken: list[str] = []
        """A line for each rule that is broken, beginning with the path of its field."""
        self.unread: list[str] = []
        """Flags whose values could not be read: the fields are others than was asked for."""

    @property
    def all_read(self) -> bool:
        """Whether every flag could be read; else what stands behind one may be left out too."""
        return not self.unread and (self._outer is None or self._outer.all_read)

    def kinds(self, config: object, prefix: str = "") -> None:
        """Has each field of a dataclass that holds a value of another kind than its type told.

        Each has one line: that of its rule, which says more, or else one of its kind at the end.
        After a field of another kind, rules that go by it may fail in any way. A list is made the
        tuple that its field is, as an array is, and a number of NumPy's one of Python's.

        Args:
            config: the dataclass, whose fields are all of it.
            prefix: of the paths of its fields.
        """
        for name, hint in _hints(type(config)).items():
            object.__setattr__(config, name, as_python(getattr(config, name)))
            if get_origin(hint) is tuple:
                as_tuple(config, name)
            value = getattr(config, name)
            if not is_of_kind(value, hint):
                single = get_origin(hint) is tuple and is_of_kind((value,), hint)
                kind = f"a list or tuple such as {(value,)!r}" if single else _kind(hint)
                rule = f"{prefix}{name} must be {kind}"
                self._kinds[f"{prefix}{name}"] = f"{rule}, got {masked(quoted(value))}"

    def told(self) -> list[str]:
        """Returns a line for each rule that is broken and each field of another kind."""
        kinds = self._kinds.items()
        return self.broken + [line for path, line in kinds if not self._is_told(path)]

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
        if not (isinstance(value, str) and value in names):
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

    def beside(self, path: str, value: Path | None, own: str = "") -> None:
        """Notes a file to be written that is one of a study's own.

        Args:
            path: of the field.
            value: what it is; None writes nothing.
            own: the one of them that is written here, and is a study's own afterwards.
        """
        # Where file systems do not tell them apart, such as on macOS, any case names it.
        if value is not None and value.name != own and value.name.casefold() in OWN_FILES:
            ok = not os.path.lexists(value.with_name(OWN_FILES[0]))
            self.require(ok, path, "none of a study's own files", str(value))

    def attempt(self, make: Callable[[], T]) -> T | None:
        """Returns what is made, None if a ``ConfigError`` was noted instead."""
        try:
            return make()
        except ConfigError as error:
            self.note(error)
            return None

    def _is_told(self, path: str) -> bool:
        return any(line.startswith((f"{path} must ", f"{path}.")) for line in self.broken)

    def _is_broken(self, path: str) -> bool:
        mine = path in self._kinds or self._is_told(path)
        plain = path.replace("-", "_")
        mine = mine or any(flag.replace("-", "_").endswith(plain) for flag in self.unread)
        return mine or (self._outer is not None and self._outer._is_broken(path))


@functools.cache
def _hints(config: type) -> dict[str, Any]:
    return get_type_hints(config)


def is_of_kind(value: object, hint: Any) -> bool:
    """Returns whether a value is of a type of a field; a whole number is a number, a bool is none.

    Args:
        value: of the field.
        hint: a class, or a Literal of texts (any text is of its kind), a tuple of any length, a
            dict or a union of such.
    """
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(is_of_kind(value, part) for part in parts)
    if kind is Literal:
        return isinstance(value, str)  # Which texts is a rule's: a table may have more rows.
    if kind in (int, float):
        return is_int(value) if kind is int else is_int(value) or isinstance(value, float)
    if not isinstance(value, kind):
        return False
    if isinstance(value, tuple):
        return all(is_of_kind(one, parts[0]) for one in value)
    if isinstance(value, dict):
        name, of = parts
        return all(is_of_kind(k, name) and is_of_kind(v, of) for k, v in value.items())
    return True


_KINDS = {
    bool: "a bool",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a pathlib.Path",
    NoneType: "None",
}


def _kind(hint: Any) -> str:
    """Returns what a value of a type is called."""
    kind, parts = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_kind, parts)))
    if kind is Literal:
        return f"one of {', '.join(parts)}"
    if kind is tuple:
        return f"a list or tuple, each {_kind(parts[0])}"
    if kind is dict:
        return f"a dict of {_kind(parts[0])} to {_kind(parts[1])}"
    return _KINDS.get(kind) or f"of the type {kind.__name__}"


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
        if not rules.told():
            raise
    finally:
        _IN_WORK.reset(token)
    # One mistake may be met at each point of a design.
    told = [*dict.fromkeys(rules.told())]
    if told and outer is not None:
        outer.broken += told
    elif told:
        raise ConfigError("\n".join(told))


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
