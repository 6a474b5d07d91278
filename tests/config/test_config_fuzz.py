"""Whatever a configuration is given, it is one, or each line says which field is not."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.config import LotteryConfig, from_dict
from lttune.errors import ConfigError

PATHS = [*LotteryConfig().paths(), "prune.fractions.fc1", "prune.fractions.a.b"]
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 10**12, 10**400]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["mnist", "supermask", "channel", "kind", "x.npz", "\n", "a\nb", "\0"]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
FIRST_WORDS = {*PATHS, "hyperparameter"}


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(PATHS) | st.text(max_size=6), VALUES, max_size=6))
def test_any_values_are_a_configuration_or_a_list_of_mistakes(values):
    try:
        made = LotteryConfig().override(values)
    except ConfigError as error:
        lines = str(error).splitlines()
        assert lines
        for line in lines:
            assert line.startswith("prune.fractions") or line.split(" ")[0] in FIRST_WORDS
            assert " must be " in line
            assert len(line) < 1000
    else:
        assert from_dict(json.loads(json.dumps(made.nested()))) == made


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["train", "prune", "data", "model", "levels", "x"]),
        VALUES | st.dictionaries(st.sampled_from(["lr", "steps", "name", "fractions"]), VALUES),
        max_size=4,
    )
)
def test_any_tree_of_a_study_is_a_configuration_or_a_list_of_mistakes(tree):
    try:
        found = from_dict(tree)
    except ConfigError as error:
        lines = str(error).splitlines()
        assert all(" must be " in line for line in lines)
    else:
        assert isinstance(found, LotteryConfig)
