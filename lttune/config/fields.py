"""How a field's rule is checked; nested values as dotted paths, as text, their digest."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard, get_args

from lttune.errors import ConfigError, quoted, unknown


def require(ok: bool, path: str, rule: str, value: object) -> None:
    """Raises ``ConfigError`` naming the field, its rule and its value unless ``ok``."""
    if not ok:
        raise ConfigError(f"{path} must be {rule}, got {quoted(value)}")


def is_int(value: object) -> TypeGuard[int]:
    """Returns whether a value is a whole number, and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[int | float]:
    """Returns whether a value is a finite number that a float can hold, and not a bool."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


SYNONYMS = {
    "batch": "batch_size",
    "bs": "batch_size",
    "dataset": "data",
    "epoch": "epochs",
    "learning_rate": "lr",
    "network": "model",
    "num_epochs": "epochs",
    "optim": "optimizer",
    "wd": "weight_decay",
}
"""What people call a field -> its name, where that is not the nearest."""

_DURATION = re.compile(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?")


def duration_s(path: str, text: object) -> float:
    """Returns the seconds of a duration such as 2h, 90m, 1h30m, 1.5h or 45s.

    Raises:
        ConfigError: if it is none, or not above zero.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    try:
        parts = [float(part or 0) for part in found.groups()] if found else [0.0]
    except ValueError:  # Two points.
        parts = [0.0]
    seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    require(is_number(seconds) and seconds > 0, path, "a time such as 2h, 90m, 1h30m or 45s", text)
    return seconds


_SHARD = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})", re.ASCII)


def shard_numbers(path: str, text: object) -> tuple[int, int]:
    """Returns the number of a shard such as 3/16, counted from 1, and how many there are.

    Raises:
        ConfigError: if it is none.
    """
    found = _SHARD.fullmatch(text) if isinstance(text, str) else None
    number, of = (int(found[1]), int(found[2])) if found else (1, 0)
    rule = "K/N such as 3/16, a shard's number from 1 and how many there are, below a million"
    require(number <= of, path, rule, text)
    return number, of


WRITABLE = "text that UTF-8 can hold, which names of files of another encoding are not"


def is_writable(text: str) -> bool:
    """Returns whether a text can be written into a file.

    Python has the bytes of a name that is no UTF-8 as halves of pairs, which are no characters.
    """
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def unwritable(values: object, path: str) -> Iterator[tuple[str, str]]:
    """Yields dotted path and value of each text in plain values that is not ``is_writable``."""
    if isinstance(values, str) and not is_writable(values):
        yield path, values
    elif isinstance(values, Mapping):
        for name, value in values.items():
            yield from unwritable(str(name), path)
            yield from unwritable(value, f"{path}.{name}" if path else str(name))
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes):
        for value in values:
            yield from unwritable(value, path)


def require_choice(path: str, value: object, choices: Any) -> None:
    """Raises ``ConfigError`` unless a value is one of a Literal's."""
    if not (isinstance(value, str) and value in get_args(choices)):
        raise unknown(path, value, get_args(choices))


def as_tuple(config: object, name: str) -> None:
    """Makes a frozen field that JSON gave back as a list a tuple again."""
    value = getattr(config, name)
    if isinstance(value, list):
        object.__setattr__(config, name, tuple(value))


def as_python(value: Any) -> Any:
    """Returns a number of NumPy's as Python's, also in a list, tuple or dict; all else as it is.

    JSON and SQL take no other, and ``numpy.linspace`` and ``numpy.random`` give no other. An array
    becomes a list.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    if type(value) is dict:
        return {name: as_python(one) for name, one in value.items()}
    return type(value)(map(as_python, value)) if type(value) in (list, tuple) else value


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested values by their dotted paths, each after ``prefix``."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        flat |= flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns name -> (old value, new value) where two mappings differ, by name; none is None."""
    return {
        name: (old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    }


def digest(values: Any) -> str:
    """Returns the SHA-256 of plain values in canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


BASE_SETTINGS = "base configuration"
"""What a trial is called that changes nothing of it."""


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Returns dotted path -> its shortest end that no other of the paths has: "lr", "data.name"."""
    ends = {path: _ends(path) for path in paths}
    counts = Counter(end for mine in ends.values() for end in mine)
    return {path: next((e for e in mine if counts[e] == 1), path) for path, mine in ends.items()}


def _ends(path: str) -> list[str]:
    """Returns the ends of a dotted path, the shortest first: "lr", "train.lr"."""
    parts = path.split(".")
    return [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]


def value_text(value: object) -> str:
    """Returns a hyperparameter's value as people read it: a float in three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def settings_text(hparams: Mapping[str, Any]) -> str:
    """Returns hyperparameters as people read them: "lr=0.0012 batch_size=60 fc1=0.2"."""
    names = short_names(hparams)
    found = [f"{names[path]}={value_text(value)}" for path, value in hparams.items()]
    return " ".join(found) or BASE_SETTINGS
