"""What the sheet of a study says of a network of one's own, so that reading it needs no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lttune.config.fields import is_int
from lttune.errors import StorageError, quoted
from lttune.models.initialisers import Shape
from lttune.models.layers import weight_name
from lttune.models.outline import Outline


@dataclass(frozen=True, kw_only=True)
class Described:
    """A network for pictures of one shape."""

    name: str
    """``model.name``."""
    source: str
    """SHA-256 of its code."""
    shape: Shape
    """Of a picture."""
    classes: int
    outline: Outline


def written(described: Described) -> dict[str, Any]:
    """Returns a description as JSON would give it back; ``read_descriptions`` reads it."""
    outline = described.outline
    return {
        "name": described.name,
        "source": described.source,
        "shape": list(described.shape),
        "classes": described.classes,
        "shapes": {name: list(shape) for name, shape in outline.shapes.items()},
        "kinds": outline.kinds,
        "roles": outline.roles,
        "buffers": {name: list(shape) for name, shape in outline.buffers.items()},
        "constants": list(outline.constants),
        "state": outline.state,
    }


def read_descriptions(values: Any, where: str) -> list[Described]:
    """Returns the descriptions of a sheet.

    Args:
        values: its field ``networks``.
        where: the file, for a message.

    Raises:
        StorageError: if a field of one is not what it must be, or they do not fit each other.
    """
    if not isinstance(values, list):
        raise StorageError(f"{where}: networks must be a list, got {quoted(values)}")
    return [_read(one, f"{where}: networks[{at}]") for at, one in enumerate(values)]


def _read(values: Any, where: str) -> Described:
    def must(ok: bool, field: str, rule: str) -> None:
        if not ok:
            got = quoted(values.get(field) if isinstance(values, Mapping) else values)
            raise StorageError(f"{where}.{field} must be {rule}, got {got}")

    must(isinstance(values, Mapping), "name", "a name with a colon")
    name, source = values.get("name"), values.get("source")
    must(isinstance(name, str) and ":" in name, "name", "a name with a colon")
    must(isinstance(source, str), "source", "a text")
    must(_is_shape(values.get("shape")), "shape", "a list of whole numbers")
    must(is_int(values.get("classes")), "classes", "a whole number")
    for field in ("shapes", "buffers"):
        found = values.get(field)
        ok = isinstance(found, Mapping) and all(map(_is_shape, found.values()))
        must(ok, field, "an object of lists of whole numbers")
    for field in ("kinds", "roles", "state"):
        found = values.get(field)
        ok = isinstance(found, Mapping) and all(isinstance(one, str) for one in found.values())
        must(ok, field, "an object of texts")
    found = values.get("constants")
    ok = isinstance(found, list) and all(isinstance(one, str) for one in found)
    must(ok, "constants", "a list of texts")
    shapes, buffers = ({n: tuple(s) for n, s in values[f].items()} for f in ("shapes", "buffers"))
    outline = Outline(
        shapes=shapes,
        kinds=dict(values["kinds"]),
        roles=dict(values["roles"]),
        buffers=buffers,
        constants=tuple(values["constants"]),
        state=dict(values["state"]),
    )
    must(set(outline.constants) <= buffers.keys(), "constants", "of its buffers")
    weights = [weight_name(layer) for layer in outline.kinds]
    ok = bool(weights) and all(len(shapes.get(one, ())) > 1 for one in weights)
    must(ok, "kinds", "of layers whose weights are matrices among its shapes")
    must(outline.roles.keys() == shapes.keys(), "roles", "of each of its shapes")
    held = shapes.keys() | buffers.keys()
    ok = all(one in held for name, one in outline.state.items() if not _is_counter(name))
    must(ok, "state", "of its shapes and buffers")
    return Described(
        name=name,
        source=source,
        shape=tuple(values["shape"]),
        classes=values["classes"],
        outline=outline,
    )


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(is_int(edge) and edge >= 0 for edge in value)


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")
