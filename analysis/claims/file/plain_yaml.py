"""YAML as plain values, strictly: 1e-3 is a number, and no key stands twice."""

from __future__ import annotations

from typing import Any

import yaml

from lttune.errors import ConfigError

# The same values from libyaml in half the time; a build of PyYAML may lack it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

DEEPEST = 50
"""Lists and mappings in each other; the shipped file has a tenth of it."""


def plain_values(text: bytes) -> Any:
    """Returns the values of a YAML text.

    Raises:
        ConfigError: if it is no YAML, nests too deeply, or a key stands twice.
    """
    try:
        _require_shallow(text)
        return yaml.load(text, Loader=_Loader)
    except ConfigError:
        raise
    # No date (2026-13-01) is a ValueError, a key that is a list a TypeError.
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the claims file is no YAML: {' '.join(str(error).split())}") from None


def _require_shallow(text: bytes) -> None:
    """Checks that lists and mappings lie in each other as in a claims file, and not without end.

    What builds them calls itself for each, down to the end of the interpreter's stack.

    Raises:
        ConfigError: if they do not.
    """
    depth = 0
    for event in yaml.parse(text, Loader=_Safe):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"the claims file must nest at most {DEEPEST} lists in each other")


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
