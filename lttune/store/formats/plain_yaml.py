"""YAML as plain values, strictly: 1e-3 is a number, no key stands twice, and names stay few.

An alias stands for what its anchor holds: some lines can stand for more than any memory, which is
filled as soon as they are written out. What a file would be written out is counted before any of it
is made.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from lttune.store.regular import most_memory

# The same values from libyaml in half the time; a build of PyYAML may lack it.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

WRITTEN_BYTES = 64
"""Bytes in memory that a value or a character is taken for, written out."""

_MERGE = "tag:yaml.org,2002:merge"


def parse_yaml(data: bytes) -> Any:
    """Returns the plain values of the bytes of a YAML file; None if it holds nothing.

    Raises:
        ValueError: if it is no YAML, a key stands twice, or its aliases stand for too much.
    """
    # What is tagged as something that it is not, such as !!bool of any other word, raises whatever
    # PyYAML comes to; 1:1:...:1.5, which YAML counts in sixties, may be beyond all numbers.
    try:
        loader = _Loader(data)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            # Before any is built: what is merged would be taken for a mapping's own.
            for mapping in _mappings(node, most_memory(len(data)) // WRITTEN_BYTES):
                _require_once(loader, mapping)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (
        *(yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError),
    ) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


def _mappings(root: yaml.Node, most: int) -> list[yaml.MappingNode]:
    """Returns the mappings of a tree, each once.

    Raises:
        ValueError: if the tree, written out, has more values and characters than ``most``, a part
            is a part of itself, or a text holds what is no character.
    """
    found: list[yaml.MappingNode] = []
    sizes, begun = dict[int, int](), set[int]()
    waiting = [(root, False)]
    while waiting:
        node, is_counted = waiting.pop()
        if id(node) in sizes:
            continue
        inside = _inside(node)
        if is_counted:
            # Half of a pair is no character: nothing could be written of it.
            own = len(node.value.encode()) if isinstance(node, yaml.ScalarNode) else 0
            sizes[id(node)] = size = 1 + own + sum(sizes[id(one)] for one in inside)
            if size > most:
                raise ValueError(f"its aliases stand for more than {most:,} values")
        elif id(node) in begun:
            raise ValueError("one of its aliases stands for a part of itself")
        else:
            begun.add(id(node))
            found += [node] if isinstance(node, yaml.MappingNode) else []
            waiting += [(node, True), *((one, False) for one in inside)]
    return found


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


class _Loader(_Safe):
    """The safe loader, for which 1e-3 is a number and a key that stands twice an error."""


def _require_once(loader: _Loader, node: yaml.MappingNode) -> None:
    # A key may stand in what is merged as well: that is what merging is for.
    own = [key for key, _ in node.value if key.tag != _MERGE]
    counts = Counter(loader.construct_object(key, deep=True) for key in own)
    for key, count in counts.items():
        if count > 1:
            raise ValueError(f"line {node.start_mark.line + 1}: {key!r} must be given once")


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    return dict(loader.construct_pairs(node, deep=True))


def _text(loader: _Loader, node: yaml.ScalarNode) -> Any:
    value = loader.construct_scalar(node)
    try:
        return float(value) if value[:1].isdigit() and "e" in value else value
    except ValueError:
        return value


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
