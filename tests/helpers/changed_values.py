"""Plain values in which something somewhere is another, as an editor or a stranger leaves them."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lttune.store.sealed import BLANK, seal

SETTINGS = settings(
    max_examples=int(os.environ.get("LTTUNE_EXAMPLES", "20")),
    # Whoever merges something else should not meet what only chance finds.
    derandomize="LTTUNE_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Of tests that draw changes. ``LTTUNE_EXAMPLES`` has them draw as many, and others each time."""

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@st.composite
def changed_values(draw: Any, values: Any) -> Any:
    """A copy of plain values with something somewhere in it replaced, or left out."""
    values = copy.deepcopy(values)
    at = values
    while True:
        names = list(at) if isinstance(at, dict) else list(range(len(at)))
        name = draw(st.sampled_from(names))
        inner = at[name]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            if draw(st.booleans()):
                del at[name]
            else:
                at[name] = draw(JSON)
            return values
        at = inner


NUMBERS = st.sampled_from([0.0, -1.0, 1e-300, 1e300, float("nan"), float("inf"), 0.5])
WHOLE = st.sampled_from([0, -1, 1, 7, 10**6, 2**62, -(2**63)])
TEXTS = st.sampled_from(["", "a\nb", "=1+1", "../x", "\x1b[2J", "x" * 5000, "trunk", "anchor"])
COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.float64(), NUMBERS),
    (pa.int64(), WHOLE),
    (pa.string(), TEXTS),
    (pa.bool_(), st.booleans()),
    (pa.list_(pa.int64()), st.just([0])),
    (pa.null(), st.none()),
]


@st.composite
def changed_table(draw: Any, table: pa.Table) -> pa.Table:
    """A table of which a column is left out, or has other values in one row or in all."""
    name = draw(st.sampled_from(table.column_names))
    at = table.column_names.index(name)
    if draw(st.integers(0, 4)) == 0:
        return table.remove_column(at)
    kind, values = draw(st.sampled_from(COLUMNS))
    one, kept = draw(values), table.column(name)
    if kind == kept.type and draw(st.booleans()):
        row = draw(st.integers(0, table.num_rows - 1))
        column = [one if place == row else old for place, old in enumerate(kept.to_pylist())]
        return table.set_column(at, name, pa.array(column, kind))
    return table.set_column(at, name, pa.array([one] * table.num_rows, kind))


def write_sealed_table(path: Path, table: pa.Table) -> None:
    """Writes a table of a study in place of one, sealed and of the same study: as its writer would.

    Without that all would be refused for the seal, whatever the columns hold.
    """
    about = {**pq.read_schema(path).metadata, b"lttune.seal": BLANK.encode()}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink)
    path.write_bytes(seal(sink.getvalue().to_pybytes()))
