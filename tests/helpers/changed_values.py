"""Plain values in which something somewhere is another, as an editor or a stranger leaves them."""

from __future__ import annotations

import copy
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

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
