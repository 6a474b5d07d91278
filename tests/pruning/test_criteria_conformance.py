"""What every criterion must do. A criterion is tested here by being in CRITERIA.

The checks are those of ``lttune.testing``, which a criterion of one's own is asked as well.
"""

from typing import get_args

import pytest

from lttune.config.lottery.prune import CriterionName
from lttune.pruning.criteria import CRITERIA
from lttune.testing import criteria as checks
from lttune.testing.criteria import CRITERION_NETWORKS, PRUNING_WAYS

KINDS = {criterion.__module__: name for name, criterion in CRITERIA.items()}
"""The module of a kind of criteria -> one of them: they differ in what a trajectory gives them."""
BY_POSITION = ("random",)
"""Criteria that do not look at the weights: a unit that moves leaves its score behind."""


@pytest.fixture(params=CRITERIA)
def criterion(request):
    """Every criterion in turn."""
    return request.param


def test_it_can_be_asked_for(criterion):
    assert criterion in get_args(CriterionName)
    assert set(CRITERIA) == set(get_args(CriterionName))


@pytest.mark.parametrize("network", [*CRITERION_NETWORKS, "conv-2"])
def test_it_scores_every_prunable_weight_by_a_finite_float32(criterion, network):
    checks.check_scores(criterion, network)


@pytest.mark.parametrize("network", CRITERION_NETWORKS)
def test_equal_streams_give_equal_bits_and_no_global_one_is_touched(criterion, network):
    checks.check_repeats(criterion, network)


@pytest.mark.parametrize("network", CRITERION_NETWORKS)
def test_it_leaves_its_evidence_as_it_was(criterion, network):
    checks.check_leaves_evidence(criterion, network)


def test_it_reads_examples_if_and_only_if_it_says_so(criterion):
    checks.check_examples_read(criterion)


@pytest.mark.parametrize(
    "rule", PRUNING_WAYS, ids=lambda rule: "-".join(map(str, rule.values())) or "layer"
)
@pytest.mark.parametrize("network", CRITERION_NETWORKS)
def test_the_next_mask_is_a_subset_with_exactly_as_many_less(criterion, network, rule):
    checks.check_counts(criterion, network, rule)


def test_the_lowest_scores_go_and_of_equal_ones_the_first(criterion):
    checks.check_lowest_go(criterion)


def test_what_is_pruned_already_is_not_read(criterion):
    checks.check_pruned_unread(criterion)


@pytest.mark.parametrize("where", ["initial", "trained"])
def test_a_weight_that_is_not_a_number_is_refused(criterion, where):
    checks.check_refuses_nan(criterion, where)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name not in BY_POSITION])
def test_a_hidden_unit_takes_its_scores_along_when_units_change_places(criterion):
    checks.check_moves_with_units(criterion)


@pytest.mark.parametrize("criterion", KINDS.values())
@pytest.mark.timeout(10)
def test_a_trajectory_runs_from_end_to_end(criterion):
    checks.check_criterion_trains(criterion)
