"""A mistake in a study file is told in a line, with its place, as one in a flag is."""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
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
_UNNAMED = re.compile(r"(\w+)(?:\.__init__)?\(\) takes .*positional arguments? but .* given")
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
    walked = list(traceback.walk_tb(trace))
    frames = [place for place in walked if _module(place[0]) not in BETWEEN]
    mine = [place for place, (frame, _) in enumerate(frames) if _module(frame) == "__main__"]
    if not mine:
        return None
    frame, line = frames[mine[-1]]
    called = [_module(frame).partition(".")[0] for frame, _ in frames[mine[-1] + 1 :]]
    if isinstance(error, TypeError) and not called:
        mistake = _in_arguments(str(error), frame, is_changed=walked[-1][0] is not frame)
    elif isinstance(error, ConfigError) and called and called[0] in CHECKERS:
        mistake = error
    else:
        return None
    return mistake and mistake.within(f"{Path(frame.f_code.co_filename).name}:{line}")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _in_arguments(text: str, frame: FrameType, *, is_changed: bool) -> ConfigError | None:
    """Returns what is told of Python's own word on a call; None if it is not of one of ours.

    Args:
        text: Python's.
        frame: of who calls.
        is_changed: whether it changes a value instead, whose class it need not name.
    """
    text = text.partition(". Did you mean")[0]
    matches = (pattern.fullmatch(text) for pattern in (_UNKNOWN, _MISSING, _UNNAMED))
    found = next(filter(None, matches), None)
    if found is None or (ours := _ours(found[1], frame, is_changed=is_changed)) is None:
        return None
    names = [one.name for one in inspect.signature(ours).parameters.values() if one.kind in _NAMED]
    if found.re is _UNKNOWN:
        usual = SYNONYMS.get(found[2])
        meant = usual if usual in names else None
        return unknown(f"a keyword of {found[1]}", found[2], names, meant=meant)
    if found.re is _MISSING:
        return ConfigError(f"{found[1]} must be given {found[2].replace(chr(39), '')}")
    rule = f"must be given its values by keywords: {', '.join(names)}"
    return ConfigError(f"{found[1]} {rule}")


_NAMED = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _ours(name: str, frame: FrameType, *, is_changed: bool) -> Callable[..., Any] | None:
    """Returns what of ours a program calls by a name; None if that is somebody else's."""
    scope = {**frame.f_globals, **frame.f_locals}
    modules = [one for one in scope.values() if isinstance(one, ModuleType) and _is_ours(one)]
    found = scope[name] if name in scope else _first(name, modules)
    if found is None and is_changed:
        loaded = [one for key, one in sys.modules.items() if key.partition(".")[0] in CHECKERS]
        found = _first(name, loaded)
    of = str(getattr(found, "__module__", "")).partition(".")[0]
    return found if callable(found) and of in CHECKERS else None


def _first(name: str, modules: Iterable[ModuleType]) -> Any:
    return next((vars(one)[name] for one in modules if name in vars(one)), None)


def _is_ours(module: ModuleType) -> bool:
    return module.__name__.partition(".")[0] in CHECKERS
