"""The one exception that a command line turns into a single line and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LttuneError(Exception):
    """Something the user can mend; its text is one line, its ``exit_code`` is distinct.

    Exit codes: 2 bad configuration, 3 resume refused, 4 data, 5 environment or resources,
    74 input/output, 75 locked by another driver. 0 is complete, 1 is a study that finished with
    failed trials, 129 (hang-up), 130 (Ctrl-C) and 143 (SIGTERM) are interrupts.
    """

    exit_code = 2


class ConfigError(LttuneError, ValueError):
    """A field breaks its rule; the text names the field, the rule and the value."""


class RefusedError(LttuneError):
    """An existing study cannot be continued with this configuration."""

    exit_code = 3


class DataError(LttuneError):
    """A dataset is missing, damaged or not what it claims to be."""

    exit_code = 4


class ResourceError(LttuneError):
    """The machine, cluster or an installed package cannot do what was asked."""

    exit_code = 5


class StorageError(LttuneError):
    """A folder or file cannot be read or written, or a folder holds no study."""

    exit_code = 74


class DamagedError(StorageError):
    """A file is not what was written there; one that merely cannot be read is none of these."""


class LockedError(LttuneError):
    """Another driver owns the study."""

    exit_code = 75


def unknown(field: str, value: object, valid: Iterable[str]) -> ConfigError:
    """Returns the error for a name that does not exist: the valid names and the nearest one."""
    names = sorted(valid)
    nearest = difflib.get_close_matches(str(value), names, n=1)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return ConfigError(f"{field} must be one of {', '.join(names)}; got {value!r}{hint}")
