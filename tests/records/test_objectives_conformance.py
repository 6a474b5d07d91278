"""What every objective must do. A measure is tested here by being in OBJECTIVE_MEASURES.

The checks are those of ``lttune.testing``, which an objective of one's own is asked as well.
"""

from __future__ import annotations

import pytest
from own_files import writer

from lttune.errors import ConfigError
from lttune.records.objectives import OBJECTIVE_MEASURES
from lttune.testing import check_objective


@pytest.fixture
def own(tmp_path):
    return writer(tmp_path, "rows, classes")


@pytest.mark.parametrize("name", OBJECTIVE_MEASURES)
def test_a_measure_of_the_table(name):
    check_objective(name)


@pytest.mark.parametrize(
    "body",
    [
        "return sum(row['val_accuracy'] for row in rows) / len(rows)",
        "return min(row['early_stop_step'] for row in rows)",
        "return len([row for row in rows if row['diverged']]) + max(r['train.lr'] for r in rows)",
    ],
)
def test_one_of_ones_own(own, body):
    check_objective(own(body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return rows[-1]['val_accuracy']", "in whatever order rows come"),
        ("return sum(row['test_accuracy'] for row in rows)", "must not go by test examples"),
        ("return -sum(row['end_test_loss'] or 9 for row in rows)", "must not go by test examples"),
        (
            "return max(rows, key=lambda row: row['test_accuracy'])['val_accuracy']",
            "must not go by test examples",
        ),
        ("seen.append(1); return len(seen)", "the same number again"),
        ("import numpy as np; return float(np.random.rand())", "stream that it is given"),
        ("return sum(row['reused'] for row in rows)", "trained now or before"),
        (
            "return sum(row.pop('val_accuracy') for row in rows) / len(rows)",
            "must leave the rows as they were",
        ),
    ],
)
def test_what_no_objective_may_do_is_found(own, body, told):
    with pytest.raises(AssertionError, match=told):
        check_objective(own(body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return sorted(row['val_accuracy'] for row in rows)[1]", "1 level: IndexError"),
        ("return float('nan') if any(r['diverged'] for r in rows) else 1", "got nan on a traject"),
        ("return sum(row['end_val_loss'] for row in rows)", "diverged: TypeError"),
    ],
)
def test_what_has_no_number_for_every_trajectory_is_refused_as_in_a_study(own, body, told):
    with pytest.raises(ConfigError, match=told):
        check_objective(own(body))


@pytest.mark.parametrize("name", ["pareto", "accuracy_au"])
def test_what_is_no_measure_and_no_function_is_refused(name):
    with pytest.raises(ConfigError, match=r"^objective must be one of .*FILE\.py:FUNCTION"):
        check_objective(name)
