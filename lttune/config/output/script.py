"""A mistake in a study file is told in a line, with its place, as one in a flag is."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from lttune.config.fields import SYNONYMS
from lttune.config.passwords import masked
from lttune.errors import ConfigError, complaint, unknown

CHECKERS = ("analysis", "lttune")
"""Packages in which rules are checked: what a file gave to them is what is wrong."""

BETWEEN = ("copy", "dataclasses")
"""Modules by which a file changes one of our values, as by ``dataclasses.replace``."""

_UNKNOWN = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"(\w+)(?:\.__init__)?\(\) missing \d+ required [\w-]+ arguments?: (.+)")
"""What Python (3.11 to 3.14) says of a call whose names are not those of what is called."""


def tell_mistakes_of_script() -> None:
    """Has a mistake that the program's own file makes in a call of lttune told by its place.

    That is a ``ConfigError``, or a keyword that is unknown or missing. A study file makes its parts
    before any command of lttune is called that could tell it. Where somebody else looks at
    exceptions, or sits at a prompt that the process's end would take away, all stays as it is.
    """
    if sys.excepthook is not sys.__excepthook__:
        return
    before = sys.excepthook

    def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        is_prompt = sys.flags.inspect or hasattr(sys, "ps1")
        mistake = None if is_prompt else _mistake(error, trace)
        if mistake is None:
            before(kind, error, trace)
            return
        print(masked(complaint(mistake)), file=sys.stderr, flush=True)
        raise SystemExit(mistake.exit_code)

    sys.excepthook = told


def _mistake(error: BaseException, trace: TracebackType | None) -> ConfigError | None:
    """Returns what is told of an error; None if it is no mistake in a call of lttune."""
    frames = [
        (frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(trace)
        if frame.f_globals.get("__name__") not in BETWEEN
    ]
    mine = [place for place, (name, _, _) in enumerate(frames) if name == "__main__"]
    if not mine:
        return None
    _, file, line = frames[mine[-1]]
    called = [name.partition(".")[0] for name, _, _ in frames[mine[-1] + 1 :]]
    if isinstance(error, TypeError) and not called:
        mistake = _in_keywords(str(error))
    elif isinstance(error, ConfigError) and called and called[0] in CHECKERS:
        mistake = error
    else:
        return None
    return mistake and mistake.within(f"{Path(file).name}:{line}")


def _in_keywords(text: str) -> ConfigError | None:
    """Returns what is told of Python's own word on a call; None if it is not one of ours."""
    found = _UNKNOWN.fullmatch(text.partition(". Did you mean")[0])
    if found and (names := _keywords(found[1])):
        usual = SYNONYMS.get(found[2])
        meant = usual if usual in names else None
        return unknown(f"a keyword of {found[1]}", found[2], names, meant=meant)
    found = _MISSING.fullmatch(text)
    if found and _keywords(found[1]):
        return ConfigError(f"{found[1]} must be given {found[2].replace(chr(39), '')}")
    return None


def _keywords(name: str) -> list[str]:
    """Returns the keywords of a public class or function of ours; none if it is not one."""
    mine: Any = vars(sys.modules["__main__"]).get(name)
    of_ours = [vars(sys.modules[module]).get(name) for module in [*sys.modules] if _is_ours(module)]
    asked: Callable[..., Any] | None = next(filter(callable, of_ours), None)
    if asked is None or (mine is not None and mine not in of_ours):
        return []
    takes = inspect.signature(asked).parameters.values()
    return [one.name for one in takes if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in CHECKERS
