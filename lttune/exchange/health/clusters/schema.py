"""Fields of a file for ``ray up``, by the schema that Ray brings: of another name it takes none."""

from __future__ import annotations

import difflib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lttune.exchange.health.clusters.file import ClusterFile, FileRule

_SCHEMA = Path("autoscaler", "ray-schema.json")
_BEFORE = frozenset(("min_workers", "head_node", "worker_nodes"))
"""Fields that Ray takes out before it looks at the others."""


def _unknown_field(file: ClusterFile) -> str:
    schema = _schema()
    if schema is None:
        return ""
    # Ray's dependency: it takes a while, and nothing else needs it.
    import jsonschema

    # As JSON names are texts; a schema knows no others.
    fields = json.loads(json.dumps(dict(file.config), default=str, skipkeys=True))
    fields = {name: value for name, value in fields.items() if name not in _BEFORE}
    errors = jsonschema.Draft7Validator(schema).iter_errors(fields)
    return min((_told(one) for one in errors), default="")


def _schema() -> dict[str, Any] | None:
    """Returns the schema of the Ray that is installed, which is not imported; None without one."""
    spec = importlib.util.find_spec("ray")
    places = (spec.submodule_search_locations if spec else None) or ()
    found = (path for place in places if (path := Path(place) / _SCHEMA).is_file())
    path = next(found, None)
    return None if path is None else json.loads(path.read_text(encoding="utf-8"))


def _told(error: Any) -> str:
    """Returns what is wrong with a field. Its value may be a secret: only a number's is told."""
    place, got = ".".join(map(str, error.absolute_path)), error.instance
    rule, wanted = error.validator, error.validator_value
    if rule == "additionalProperties" and isinstance(got, Mapping):
        known = list(error.schema.get("properties", ()))
        name = next(one for one in got if one not in known)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f": {close[0]} is one" if close else ""
        return f"{f'{place}.' if place else ''}{name} is no field that Ray knows{hint}"
    if rule == "required" and isinstance(got, Mapping):
        return f"{place or 'the file'} must have {', '.join(x for x in wanted if x not in got)}"
    value = got if isinstance(got, int | float) else f"a {type(got).__name__}"
    return f"{place} must be of {rule} {wanted}, got {value}"


KNOWN_FIELDS: FileRule = (
    "the fields",
    _unknown_field,
    "write what Ray's documentation names (cluster YAML configuration options)",
)
