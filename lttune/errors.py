"""The one exception that a command line turns into an exit code and a line, or a line a field."""

from __future__ import annotations

import difflib
import errno
import reprlib
from collections.abc import Iterable, Iterator, Sequence


class LttuneError(Exception):
    """Something the user can mend; its text is one line, or one a field; ``exit_code`` is distinct.

    Exit codes: 2 bad configuration, 3 resume refused, 4 data, 5 environment or resources,
    74 input/output, 75 locked by another driver. 0 is complete, 1 is a study that finished with
    failed trials, 124 is one that --max-time ended, 129 (hang-up), 130 (Ctrl-C) and 143 (SIGTERM)
    are interrupts.
    """

    exit_code = 2


class ConfigError(LttuneError, ValueError):
    """Fields break their rules; the text has a line for each: the field, its rule and its value."""

    def within(self, where: str) -> ConfigError:
        """Returns the error whose every line says where."""
        return ConfigError("\n".join(f"{where}: {line}" for line in str(self).split("\n")))


class RefusedError(LttuneError):
    """An existing study cannot be continued with this configuration."""

    exit_code = 3


class DataError(LttuneError):
    """A dataset is missing, damaged or not what it claims to be."""

    exit_code = 4


class AbsentError(DataError):
    """A dataset is not here, and may not or cannot be fetched; nothing of it is damaged."""


class ResourceError(LttuneError):
    """The machine, cluster or an installed package cannot do what was asked."""

    exit_code = 5


class StorageError(LttuneError):
    """A folder or file cannot be read or written, or a folder holds no study."""

    exit_code = 74


class NoLocksError(StorageError):
    """A file cannot be locked, because its file system has no locks."""


class UnreachableError(StorageError):
    """A store behind a URL cannot be used now; whatever is asked of it next fails too."""


class DamagedError(StorageError):
    """A file is not what was written there; one that merely cannot be read is none of these."""


class OtherStudyError(StorageError):
    """A file is of another study than those beside it."""


class LockedError(LttuneError):
    """Another driver owns the study."""

    exit_code = 75


class JointError(LttuneError):
    """Errors that do not depend on each other, told at once.

    The text has the lines of all, each once. The exit code is that of a bad configuration if one of
    them is, else that of the first.

    Args:
        errors: two or more.
    """

    def __init__(self, errors: Sequence[LttuneError]) -> None:
        lines = dict.fromkeys(line for error in errors for line in _lines(error))
        super().__init__("\n".join(lines))
        first = next((error for error in errors if isinstance(error, ConfigError)), errors[0])
        self.exit_code = first.exit_code


def unknown(
    field: str,
    value: object,
    valid: Iterable[str],
    near: Iterable[str] | None = None,
    meant: str | None = None,
) -> ConfigError:
    """Returns the error for a name that does not exist: the valid names and the nearest one.

    Args:
        field: what the name is of.
        value: what was given.
        valid: the names that are listed.
        near: those of which the nearest is told; None is the listed ones.
        meant: the one that is told instead, whether it is near or not.
    """
    names = sorted(valid)
    asked = value[:LONGEST_QUOTED] if isinstance(value, str) else ""
    nearest = difflib.get_close_matches(asked, names if near is None else [*near], n=1)
    likely = [meant] if meant else nearest
    hint = f"; did you mean {likely[0]!r}?" if likely else ""
    return ConfigError(f"{field} must be one of {', '.join(names)}; got {quoted(value)}{hint}")


LONGEST_QUOTED = 200
"""Characters of a value that a message shows; more would hide what it says."""

_SHORT = reprlib.Repr()
# A list of lists of lists of one YAML file can be written out to any length.
vars(_SHORT).update(maxlevel=3, **dict.fromkeys(("maxlist", "maxtuple", "maxdict", "maxset"), 20))
vars(_SHORT).update(dict.fromkeys(("maxstring", "maxlong", "maxother"), LONGEST_QUOTED))


def quoted(value: object) -> str:
    """Returns a value as a message shows it: in one line, cut where it is endless."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # Python writes out no number of more than 4,300 digits.
        return "a number of more than 4,300 digits"
    return text if len(text) <= LONGEST_QUOTED else f"{text[: LONGEST_QUOTED - 3]}..."


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


REFUSING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Errors of a disk that takes nothing more from this process, whatever is written next."""

_OF_MEMORY = (
    *("can't allocate memory", "cannot allocate memory", "failed to map segment"),
    *("cannot enable executable stack", "can't start new thread", "unable to allocate"),
)
"""What PyTorch, loaders of libraries and Python say of memory that they do not get, in errors that
are of no kind of their own."""


def lacks_memory(error: BaseException | None) -> bool:
    """Returns whether an error, or one behind it, is about memory that the system refused."""
    return any(
        isinstance(one, MemoryError)
        or (isinstance(one, OSError) and one.errno == errno.ENOMEM)
        or (
            isinstance(one, ImportError | OSError | RuntimeError)
            and any(text in str(one).lower() for text in _OF_MEMORY)
        )
        for one in causes(error)
    )


MOST_LISTED = 10
"""Values of a list that a message names."""


def listed(values: Sequence[object]) -> str:
    """Returns values as a message names them: the first few, and how many more there are."""
    more = len(values) - MOST_LISTED
    names = ", ".join(map(str, values[:MOST_LISTED]))
    return f"{names} and {more:,} more" if more > 0 else names


def legible(text: str) -> str:
    """Returns a text in one line, its control characters written out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def escaped(text: str) -> str:
    """Returns a text in its lines, with its tabs; all other control characters are written out."""
    if text.isprintable():
        return text
    return "".join(one if one in "\n\t" else legible(one) for one in text)


def complaint(error: Exception) -> str:
    """Returns what a command line prints of an error: a line, or one for each mistake."""
    return "\n".join(f"lttune: error: {legible(line)}" for line in _lines(error))


def _lines(error: Exception) -> list[str]:
    """Returns an error's lines, each once."""
    text = str(error) or type(error).__name__
    if isinstance(error, ConfigError | JointError):
        return [*dict.fromkeys(text.split("\n"))]
    return [" ".join(line.strip() for line in text.splitlines())]
