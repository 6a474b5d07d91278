"""Flags on a command line, refused in one line for each mistake."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from typing import TypeVar

from lttune.config.output.escaped import escaped_output
from lttune.config.output.help import whole_docstrings
from lttune.config.output.meant import FLAG, UNKNOWN, flags_meant, parts_of
from lttune.config.output.unneeded import send_nowhere
from lttune.config.passwords import masked
from lttune.config.rules import every_rule
from lttune.config.signals import INTERRUPTED_LINE, exit_code_of
from lttune.errors import (
    REFUSING,
    ConfigError,
    LttuneError,
    ResourceError,
    StorageError,
    causes,
    complaint,
    lacks_memory,
    unknown,
)

T = TypeVar("T")

REFUSED = 2
"""Exit code of a command line that cannot be understood."""

UNREAD_OUTPUT = 141
"""Exit code where the output's reader has gone: what a shell reports of a filter that it ends."""

_CHOICE = re.compile(
    r"invalid choice (['\"])(.*)\1 for argument '(--[\w.-]+)'\. Expected one of \((.*)\)"
)


@contextlib.contextmanager
def unread_output() -> Iterator[None]:
    """Ends the process without a word where nobody reads its output any more, as in ``| head``.

    Where it cannot be written otherwise, as on a full disk, that is told in a line. A character
    that the output's encoding lacks, as one of a file's name may be, is written out.

    Raises:
        SystemExit: ``UNREAD_OUTPUT`` where nobody reads it, 74 where it cannot be written.
    """
    try:
        try:
            with _written_out(sys.stdout):
                yield
        finally:
            # A short output fails only here, or at the interpreter's end, which nobody can catch.
            _flush()
    except BrokenPipeError:
        _drop_rest()
        raise SystemExit(UNREAD_OUTPUT) from None
    except OSError as error:
        if error.filename is None:  # As of a stream.
            error = OSError(f"the output cannot be written: {error.strerror or error}")
        raise SystemExit(_not_done(error)) from None


def tell(text: str) -> None:
    """Prints a line on the standard error, if that can be: an exit code does not depend on it."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        # What is left of it would change the exit code at the interpreter's end.
        with contextlib.suppress(OSError):
            send_nowhere(sys.stderr)


def _not_done(error: OSError, *known: str) -> int:
    """Tells an error of a disk or a machine; returns its exit code."""
    if error.filename is None and sys.stdout is not None:
        # A stream has no name: what is left of its text would fail again.
        try:
            sys.stdout.flush()
        except OSError:
            with contextlib.suppress(OSError):
                send_nowhere(sys.stdout)
    tell(masked(complaint(error), *known))
    return StorageError.exit_code


@contextlib.contextmanager
def _written_out(stream: object) -> Iterator[None]:
    """Has what the encoding of a stream lacks written as a number, as on the standard error."""
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_rest() -> None:
    """Sends to nowhere what is still buffered: the interpreter would complain of it at its end."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            send_nowhere(stream)


def parsed(
    parse: Callable[[list[str]], T], arguments: Sequence[str], command: str, unprefixed: str = ""
) -> T:
    """Returns what ``parse``, a call of tyro, makes of the flags.

    tyro ends at the first flag that it cannot read. What it complains of is left out and the rest
    read again, so that all mistakes are told at once.

    Args:
        parse: reads flags; help goes to the standard output as it is.
        arguments: the flags.
        command: what prints help when ``--help`` follows it.
        unprefixed: how paths begin whose flags are called by the rest alone.

    Raises:
        SystemExit: 0 after help; 2 after one line for each mistake on the standard error, where
            tyro draws a box.
    """
    left, told, unread = list(arguments), list[str](), list[str]()
    while True:
        said = io.StringIO()
        try:
            with every_rule(part=False) as rules, redirect_stderr(said), whole_docstrings():
                rules.unread += unread
                made = parse(left)
            if not told:
                return made
            break
        except ConfigError as error:
            told += [_by_flag(line, unprefixed) for line in str(error).split("\n")]
            break
        except SystemExit as end:
            if not end.code:
                raise
        line = _line(said.getvalue())
        if line.startswith(UNKNOWN):
            known, _ = _without_mistake(left, line)
            line += flags_meant(line, lambda flag: _box(parse, [*known, flag]))  # noqa: B023
        # What is missing may only be so since something was left out.
        told += [] if told and line.startswith("Missing from ") else [line]
        fewer, flags = _without_mistake(left, line)
        if len(fewer) == len(left):
            break
        left, unread = fewer, [*unread, *flags]
    told[-1] += f"; see {command} --help"
    tell(masked(complaint(ConfigError("\n".join(told))), *arguments))
    raise SystemExit(REFUSED)


def _by_flag(line: str, unprefixed: str) -> str:
    """Returns a line about a field as one about its flag, if that is called by its name alone."""
    if not unprefixed or not line.startswith(unprefixed):
        return line
    name = re.split(r"\W", rest := line.removeprefix(unprefixed), maxsplit=1)[0]
    return f"--{name.replace('_', '-')}{rest.removeprefix(name)}"


def _box(parse: Callable[[list[str]], object], arguments: list[str]) -> str:
    """Returns what tyro complains of, "" where it can read the flags."""
    said = io.StringIO()
    with contextlib.suppress(ConfigError, SystemExit), redirect_stderr(said), whole_docstrings():
        parse(arguments)
    return said.getvalue()


def _without_mistake(arguments: Sequence[str], line: str) -> tuple[list[str], list[str]]:
    """Returns the arguments without those that a line complains of, and which flags these are.

    With them go those that may have been meant.
    """
    blamed = line.partition("; did you mean")[0].partition(" Expected ")[0]
    words = blamed.partition(UNKNOWN)[2].split(", ")
    flags = re.findall(r"--[\w.-]+", blamed)
    kept: list[str] = []
    is_blamed = False
    for argument in arguments:
        if argument.startswith("--"):
            is_blamed = argument.partition("=")[0].replace("_", "-") in flags
        # Another flag may have the same word as its value.
        is_value = kept[-1:] != [] and kept[-1].startswith("--") and "=" not in kept[-1]
        if not is_blamed and (is_value or argument not in words):
            kept.append(argument)
    meant = FLAG.findall(line.partition("; did you mean")[2])
    return kept, [*flags, *meant]


def exit_code_after(run: Callable[[], int], arguments: Sequence[str]) -> int:
    """Runs a command and returns its exit code: that of ``lttune.errors`` if it fails.

    What it prints is ``escaped_output``.

    Args:
        run: the command; what it raises is told in a line, or a line a field.
        arguments: of its command line, whose secrets no message repeats.

    Raises:
        BrokenPipeError: what that means depends on the command (``unread_output``).
    """
    with escaped_output():
        return _exit_code_after(run, arguments)


def _exit_code_after(run: Callable[[], int], arguments: Sequence[str]) -> int:
    try:
        return run()
    except LttuneError as error:
        tell(masked(complaint(error), *arguments))
        return error.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:
        # Of a disk or a machine: wherever it was met, the same command goes on afterwards.
        if (told := _of_machine(error)) is None:
            raise
        if isinstance(error, OSError) and not isinstance(told, ResourceError):
            return _not_done(error, *arguments)
        tell(masked(complaint(told), *arguments))
        return told.exit_code
    except KeyboardInterrupt as error:
        tell(INTERRUPTED_LINE)
        return exit_code_of(error)


def _of_machine(error: Exception) -> ResourceError | StorageError | None:
    """Returns what an error says of the memory or of a disk; None if it is about neither.

    Libraries wrap what a disk refuses in errors of their own.
    """
    if lacks_memory(error):
        reason = str(error) or type(error).__name__
        return ResourceError(f"memory was refused: {reason}; {_more_memory()}")
    refused = [one for one in causes(error) if isinstance(one, OSError) and one.errno in REFUSING]
    if first := next(iter(refused), error if isinstance(error, OSError) else None):
        return StorageError(str(first) or type(first).__name__)
    return None


def _more_memory() -> str:
    """Returns what to do where memory is refused."""
    with contextlib.suppress(ImportError):  # Windows has neither it nor such a limit.
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            return (
                f"a process may have {most / 1e9:,.1f} GB here: raise that limit "
                "(`ulimit -v unlimited`) and run the same command again"
            )
    return "end other programs, or ask for more of it, and run the same command again"


def _line(box: str) -> str:
    """Returns what a box says as one line: its first part."""
    first = parts_of(box)[0]
    text = re.sub(r"\s+", " ", " ".join(first)).strip(". ")
    text = re.sub(r"^Error parsing (?!--)[\w.]+: ", "", text)
    if choice := _CHOICE.fullmatch(text):
        _, value, flag, names = choice.groups()
        # What a flag is without a value is no value to give.
        valid = [name for name in re.findall(r"'([^']*)'", names) if name != "None"]
        return str(unknown(flag, value, valid))
    return text
