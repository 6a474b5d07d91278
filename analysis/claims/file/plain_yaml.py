"""YAML as plain values, strictly: 1e-3 is a number, and no key stands twice."""

from __future__ import annotations

from typing import Any

import yaml

from lttune.errors import ConfigError

# The same values from libyaml in half the time; a build of PyYAML may lack it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def plain_values(text: bytes) -> Any:
    """Returns the values of a YAML text.

    Raises:
        ConfigError: if it is no YAML, or a key stands twice.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except ConfigError:
        raise
    # No date (2026-13-01) is a ValueError, a key that is a list a TypeError, and 1:1:...:1.5, which
    # YAML counts in sixties, may be beyond all numbers.
    except (yaml.YAMLError, ArithmeticError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the claims file is no YAML: {' '.join(str(error).split())}") from None


class _Loader(_Safe):
    """The safe loader, for which 1e-3 is a number and a key that stands twice an error."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    pairs = loader.construct_pairs(node, deep=True)
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            line = node.start_mark.line + 1
            raise ConfigError(f"line {line} of the claims file: {key!r} must be given once")
    return dict(pairs)


def _text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    value = loader.construct_scalar(node)
    try:
        return float(value) if value[:1].isdigit() and "e" in value else value
    except ValueError:
        return value


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
