"""What every criterion must do: those of the table and one's own."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from lttune.config import PruneConfig
from lttune.config.own import is_own_code
from lttune.data import load
from lttune.errors import ConfigError
from lttune.models.masks import Weights, apply
from lttune.pruning.criteria import MEASURED
from lttune.pruning.criteria.own import CRITERION, criterion_of
from lttune.pruning.densities import planned_densities
from lttune.pruning.rule import prune
from lttune.records.own import known_part, use_named
from lttune.testing.evidences import NORMED, SMALL_NETWORK, digits_evidence, fresh_evidence
from lttune.testing.expected import expect, global_draws_untouched
from lttune.testing.trained import SMALL_TRAJECTORY, reports_of
from lttune.trajectory.lab import network_of

CRITERION_NETWORKS = (SMALL_NETWORK, NORMED)
"""Networks that criteria are checked on."""
PRUNING_WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"scope": "kind"},
    {"scope": "global"},
    {"structure": "channel"},
    {"rounds": 3},
)
"""Ways to prune by a criterion."""


def check_criterion(name: str, *, by_position: bool = False) -> None:
    """Checks everything that is asked of a criterion.

    Args:
        name: as ``prune.criterion``: of the table, FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION.
        by_position: whether its scores go by where a weight is and not by the network, as random
            ones do: then they need not move along when hidden units change places.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, raises an error, or gives no scores.
    """
    use_named(CRITERION, name)
    for network in (*CRITERION_NETWORKS, "conv-2"):
        check_scores(name, network)
    for network in CRITERION_NETWORKS:
        check_repeats(name, network)
        check_leaves_evidence(name, network)
        for rule in PRUNING_WAYS:
            check_counts(name, network, rule)
    check_examples_read(name)
    check_lowest_go(name)
    check_pruned_unread(name)
    for where in ("initial", "trained"):
        check_refuses_nan(name, where)
    if not by_position:
        check_moves_with_units(name)
    check_criterion_trains(name)


def check_scores(name: str, network: str) -> None:
    """Checks that every prunable weight has a finite score in float32."""
    found = digits_evidence(network, examples=20)
    scores = criterion_of(name)(found)
    same = list(scores) == list(found.mask)
    expect(same, f"{name} must score {list(found.mask)}, got {list(scores)}")
    for tensor, score in scores.items():
        keep = found.mask[tensor]
        plain = (score.shape, score.dtype) == (keep.shape, torch.float32)
        expect(plain, f"{name} must score {tensor} in float32, {tuple(keep.shape)}")
        expect(bool(score[keep].isfinite().all()), f"{name} must give finite scores to {tensor}")
        expect(not score.requires_grad, f"{name} must give scores that need no gradient")


def check_repeats(name: str, network: str) -> None:
    """Checks that equal streams give equal bits, and that no global generator is moved."""
    found = digits_evidence(network)
    with global_draws_untouched(name):
        one, two = (criterion_of(name)(fresh_evidence(found)) for _ in range(2))
    same = all(torch.equal(one[tensor], two[tensor]) for tensor in one)
    expect(same, f"{name} must give the same scores to the same evidence and stream")


def check_leaves_evidence(name: str, network: str) -> None:
    """Checks that a criterion changes nothing of what it looks at."""
    found, untouched = digits_evidence(network), digits_evidence(network)
    # A study gives one's own copies; the function itself must leave them, too.
    (known_part(CRITERION, name).called if is_own_code(name) else criterion_of(name))(found)
    for field in ("initial", "trained", "mask"):
        before, after = getattr(untouched, field), getattr(found, field)
        same = all(torch.equal(before[tensor], after[tensor]) for tensor in before)
        same = same and not any(value.requires_grad for value in after.values())
        expect(same, f"{name} must leave evidence.{field} as it was")
    for field in ("inputs", "labels"):
        same = torch.equal(getattr(found, field), getattr(untouched, field))
        expect(same, f"{name} must leave evidence.{field} as it was")


def check_examples_read(name: str) -> None:
    """Checks that a criterion of the table reads examples if and only if it says so.

    One of one's own is always given examples.
    """
    if is_own_code(name):
        return
    found = digits_evidence()
    others = fresh_evidence(found, inputs=found.inputs.flip(0))
    one, two = (criterion_of(name)(these) for these in (fresh_evidence(found), others))
    same = all(torch.equal(one[tensor], two[tensor]) for tensor in one)
    expect(same == (name not in MEASURED), f"{name} must be in MEASURED if it reads examples")
    if name not in MEASURED:
        none = {"inputs": found.inputs[:0], "labels": found.labels[:0]}
        criterion_of(name)(fresh_evidence(found, **none))


def check_counts(name: str, network: str, rule: dict[str, Any]) -> None:
    """Checks that the next mask is a subset with exactly as many less, in each group."""
    found = digits_evidence(network, keep=1.0 if "structure" in rule else 0.5)
    config = PruneConfig(criterion=name, fraction=0.3, fractions={}, **rule)
    after = prune(found, config)
    kinds = found.network.kinds
    groups = [[tensor] for tensor in found.mask]
    if config.scope == "global":
        groups = [list(found.mask)]
    elif config.scope == "kind":
        groups = [[f"{n}.weight" for n in kinds if kinds[n] == k] for k in set(kinds.values())]
    for tensors in groups:
        alive = sum(int(found.mask[tensor].sum()) for tensor in tensors)
        gone = alive - sum(int(after[tensor].sum()) for tensor in tensors)
        wanted = math.floor(0.3 * alive)
        if config.structure == "channel":
            rows = len(found.mask[tensors[0]])
            out = kinds[tensors[0].removesuffix(".weight")] == "out"
            wanted = (0 if out else math.floor(0.3 * rows)) * (alive // rows)
        expect(gone == wanted, f"{name} must prune {wanted} weights of {tensors}, got {gone}")
    for tensor, keep in after.items():
        subset = keep.dtype == torch.bool and not (keep & ~found.mask[tensor]).any()
        expect(subset, f"{name} must leave pruned weights of {tensor} pruned")


def check_lowest_go(name: str) -> None:
    """Checks that the lowest scores go, and of equal ones the first."""
    found = digits_evidence()
    found = fresh_evidence(found, initial=_rounded(found.initial), trained=_rounded(found.trained))
    config = PruneConfig(criterion=name, fraction=0.4, fractions={})
    scores = criterion_of(name)(fresh_evidence(found, trained=apply(found.trained, found.mask)))
    after = prune(fresh_evidence(found), config)
    for tensor, before in found.mask.items():
        score, kept = scores[tensor][before], after[tensor][before]
        border = score[~kept].max()
        ties = kept[score == border].int()
        ordered = bool(border <= score[kept].min()) and torch.equal(ties, ties.sort().values)
        expect(ordered, f"{name} must score the same in pruning: its lowest of {tensor} must go")


def check_pruned_unread(name: str) -> None:
    """Checks that weights that are pruned already change nothing."""
    found = digits_evidence()

    def spoilt(weights: Weights) -> Weights:
        return {
            n: torch.where(found.mask[n], v, torch.nan) if n in found.mask else v
            for n, v in weights.items()
        }

    config = PruneConfig(criterion=name, scope="global", fractions={})
    expected = prune(fresh_evidence(found), config)
    dirty = {"initial": spoilt(found.initial), "trained": spoilt(found.trained)}
    after = prune(fresh_evidence(found, **dirty), config)
    same = all(torch.equal(after[tensor], expected[tensor]) for tensor in expected)
    expect(same, f"{name} must not read weights that are pruned already")


def check_refuses_nan(name: str, where: str) -> None:
    """Checks that a weight that is not a number is refused."""
    found = digits_evidence()
    weights = {tensor: value.clone() for tensor, value in getattr(found, where).items()}
    weights["fc2.weight"][found.mask["fc2.weight"].nonzero()[7].unbind()] = torch.nan
    spoilt = fresh_evidence(found, **{where: weights})
    try:
        prune(spoilt, PruneConfig(criterion=name, fractions={}))
    except ConfigError as error:
        expect("NaN in fc" in str(error), f"{name} must say which weights are NaN, got {error}")
    else:
        expect(False, f"{name} must not prune by {where} weights that are NaN")


def check_moves_with_units(name: str) -> None:
    """Checks that a hidden unit takes its scores along when units change places."""
    found, order = digits_evidence(), torch.randperm(12, generator=torch.Generator().manual_seed(1))

    def moved(values: dict[str, Tensor]) -> dict[str, Tensor]:
        changes = {
            "fc1.weight": values["fc1.weight"][order],
            "fc2.weight": values["fc2.weight"][:, order],
        }
        if "fc1.bias" in values:
            changes["fc1.bias"] = values["fc1.bias"][order]
        return {**values, **changes}

    changes = {n: moved(getattr(found, n)) for n in ("initial", "trained", "mask")}
    scores = criterion_of(name)(fresh_evidence(found))
    found_scores = criterion_of(name)(fresh_evidence(found, **changes))
    for tensor, expected in moved(scores).items():
        keep = changes["mask"][tensor]
        scale = expected[keep].abs().max()
        one, other = found_scores[tensor][keep] / scale, expected[keep] / scale
        same = torch.allclose(one, other, rtol=1e-4, atol=1e-6)
        expect(same, f"{name} must score a weight of {tensor} by the network, not by its place")


def check_criterion_trains(name: str) -> None:
    """Checks that a trajectory runs from end to end, and is the same when it is run again."""
    config = SMALL_TRAJECTORY.override({"prune.criterion": name})
    runs = [reports_of(config) for _ in range(2)]
    planned = planned_densities(config, network_of(config, load("digits")))
    densities = [report["density"] for report in runs[0]]
    expect(densities == planned, f"{name} must reach the densities {planned}, got {densities}")
    expect(not any(report["diverged"] for report in runs[0]), f"{name} must leave what can train")
    rows = [[row for report in run for row in report["rows"]] for run in runs]
    for one, two in zip(*rows, strict=True):
        same = all(one[column] == two[column] for column in ("cell", "val_loss", "surviving"))
        expect(same, f"{name} must give the same networks when a study is run again")


def _rounded(weights: Weights) -> Weights:
    """Returns weights of few values, so that many are equal."""
    return {name: (8 * value).round() / 8 for name, value in weights.items()}
