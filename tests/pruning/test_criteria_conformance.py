"""What every criterion must do. A criterion is tested here by being in CRITERIA."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from evidences import evidence, fresh

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.lottery.prune import CriterionName
from lttune.data import load
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.pruning.criteria import CRITERIA, MEASURED
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import prune
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

NETWORKS = ("lenet-12-8", "normed")
KINDS = {criterion.__module__: name for name, criterion in CRITERIA.items()}
"""The module of a kind of criteria -> one of them: they differ in what a trajectory gives them."""
BY_POSITION = ("random",)
"""Criteria that do not look at the weights: a unit that moves leaves its score behind."""


@pytest.fixture(params=CRITERIA)
def criterion(request):
    """Every criterion in turn."""
    return request.param


def rounded(weights):
    """Returns weights of few values, so that many are equal."""
    return {name: (8 * value).round() / 8 for name, value in weights.items()}


def test_it_can_be_asked_for(criterion):
    assert criterion in get_args(CriterionName)
    assert set(CRITERIA) == set(get_args(CriterionName))


@pytest.mark.parametrize("network", [*NETWORKS, "conv-2"])
def test_it_scores_every_prunable_weight_by_a_finite_float32(criterion, network):
    found = evidence(network, examples=20)
    scores = CRITERIA[criterion](found)
    assert list(scores) == list(found.mask)
    for name, score in scores.items():
        assert (score.shape, score.dtype) == (found.mask[name].shape, torch.float32)
        assert score[found.mask[name]].isfinite().all()
        assert not score.requires_grad


@pytest.mark.parametrize("network", NETWORKS)
def test_equal_streams_give_equal_bits_and_no_global_one_is_touched(criterion, network):
    found = evidence(network)
    state, numpys = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    one, two = (CRITERIA[criterion](fresh(found)) for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), state)
    assert str(np.random.get_state()) == numpys  # noqa: NPY002


@pytest.mark.parametrize("network", NETWORKS)
def test_it_leaves_its_evidence_as_it_was(criterion, network):
    found, untouched = evidence(network), evidence(network)
    CRITERIA[criterion](found)
    for field in ("initial", "trained", "mask"):
        before, after = getattr(untouched, field), getattr(found, field)
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert not any(value.requires_grad for value in after.values())
    assert torch.equal(found.inputs, untouched.inputs)
    assert torch.equal(found.labels, untouched.labels)


def test_it_reads_examples_if_and_only_if_it_says_so(criterion):
    found = evidence()
    others = fresh(found, inputs=found.inputs.flip(0))
    one, two = CRITERIA[criterion](fresh(found)), CRITERIA[criterion](others)
    same = all(torch.equal(one[name], two[name]) for name in one)
    assert same == (criterion not in MEASURED)
    if criterion not in MEASURED:
        CRITERIA[criterion](fresh(found, inputs=found.inputs[:0], labels=found.labels[:0]))


@pytest.mark.parametrize(
    "rule",
    [{}, {"scope": "kind"}, {"scope": "global"}, {"structure": "channel"}, {"rounds": 3}],
    ids=lambda rule: "-".join(map(str, rule.values())) or "layer",
)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_next_mask_is_a_subset_with_exactly_as_many_less(criterion, network, rule):
    found = evidence(network, keep=1.0 if "structure" in rule else 0.5)
    config = PruneConfig(criterion=criterion, fraction=0.3, fractions={}, **rule)
    after = prune(found, config)
    kinds = found.network.kinds
    groups = [[name] for name in found.mask]
    if config.scope == "global":
        groups = [list(found.mask)]
    elif config.scope == "kind":
        groups = [[f"{n}.weight" for n in kinds if kinds[n] == k] for k in set(kinds.values())]
    for names in groups:
        alive = sum(int(found.mask[name].sum()) for name in names)
        gone = alive - sum(int(after[name].sum()) for name in names)
        if config.structure == "weight":
            assert gone == math.floor(0.3 * alive)
        else:
            rows = len(found.mask[names[0]])
            out = kinds[names[0].removesuffix(".weight")] == "out"
            assert gone == (0 if out else math.floor(0.3 * rows)) * (alive // rows)
    for name, keep in after.items():
        assert keep.dtype == torch.bool
        assert not (keep & ~found.mask[name]).any()


def test_the_lowest_scores_go_and_of_equal_ones_the_first(criterion):
    found = evidence()
    found = fresh(found, initial=rounded(found.initial), trained=rounded(found.trained))
    config = PruneConfig(criterion=criterion, fraction=0.4, fractions={})
    scores = CRITERIA[criterion](fresh(found, trained=masks.apply(found.trained, found.mask)))
    after = prune(fresh(found), config)
    for name, before in found.mask.items():
        score, kept = scores[name][before], after[name][before]
        border = score[~kept].max()
        assert border <= score[kept].min()
        ties = kept[score == border].int()
        assert torch.equal(ties, ties.sort().values)  # All that go before all that stay.


def test_what_is_pruned_already_is_not_read(criterion):
    found = evidence()

    def spoilt(weights):
        return {
            n: torch.where(found.mask[n], v, torch.nan) if n in found.mask else v
            for n, v in weights.items()
        }

    config = PruneConfig(criterion=criterion, scope="global", fractions={})
    expected = prune(fresh(found), config)
    dirty = fresh(found, initial=spoilt(found.initial), trained=spoilt(found.trained))
    after = prune(dirty, config)
    assert all(torch.equal(after[name], expected[name]) for name in expected)


@pytest.mark.parametrize("where", ["initial", "trained"])
def test_a_weight_that_is_not_a_number_is_refused(criterion, where):
    found = evidence()
    weights = {name: value.clone() for name, value in getattr(found, where).items()}
    weights["fc2.weight"][found.mask["fc2.weight"].nonzero()[7].unbind()] = torch.nan
    config = PruneConfig(criterion=criterion, fractions={})
    with pytest.raises(ConfigError, match=r"prune\.criterion must .* NaN in fc"):
        prune(fresh(found, **{where: weights}), config)


@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name not in BY_POSITION])
def test_a_hidden_unit_takes_its_scores_along_when_units_change_places(criterion):
    found, order = evidence(), torch.randperm(12, generator=torch.Generator().manual_seed(1))

    def moved(values):
        changes = {
            "fc1.weight": values["fc1.weight"][order],
            "fc2.weight": values["fc2.weight"][:, order],
        }
        if "fc1.bias" in values:
            changes["fc1.bias"] = values["fc1.bias"][order]
        return {**values, **changes}

    changes = {n: moved(getattr(found, n)) for n in ("initial", "trained", "mask")}
    scores = CRITERIA[criterion](fresh(found))
    found_scores = CRITERIA[criterion](fresh(found, **changes))
    for name, expected in moved(scores).items():
        keep = changes["mask"][name]
        scale = expected[keep].abs().max()
        torch.testing.assert_close(
            found_scores[name][keep] / scale, expected[keep] / scale, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("criterion", KINDS.values())
@pytest.mark.timeout(10)
def test_a_trajectory_runs_from_end_to_end(criterion, tmp_path):
    config = LotteryConfig(
        levels=2,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-20-10"),
        train=TrainConfig(lr=5e-3, batch_size=50, steps=30, eval_every=15, eval_train=100),
        prune=PruneConfig(criterion=criterion, fraction=0.4, fractions={"out": 0.2}),
    )
    runs = []
    for folder in ("one", "two"):
        lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path / folder))
        runs.append(list(run_trial(config, [0], [], lab)))
    planned = planned_densities(config, lab.network(config))
    assert [report["density"] for report in runs[0]] == planned
    assert [report["diverged"] for report in runs[0]] == [0.0] * 3
    rows = [[row for report in run for row in report["rows"]] for run in runs]
    for one, two in zip(*rows, strict=True):
        assert (one["cell"], one["val_loss"]) == (two["cell"], two["val_loss"])
