"""What ``lttune.testing`` finds of a criterion of one's own."""

from __future__ import annotations

import pytest
import torch

from lttune.errors import ConfigError
from lttune.pruning.criteria.own import CRITERION, criterion_of
from lttune.records.own import use_named
from lttune.testing import check_criterion
from lttune.testing.evidences import SMALL_NETWORK, digits_evidence

ABS = "evidence.trained[n].abs()"


@pytest.fixture
def own(tmp_path):
    def write(score: str, before: str = "") -> str:
        source = "import numpy as np\nimport torch\nseen = []\ndef part(evidence):\n"
        source += f"    {before}\n" if before else ""
        source += f"    return {{n: {score} for n, k in evidence.mask.items()}}\n"
        (tmp_path / "own.py").write_text(source)
        return f"{tmp_path}/own.py:part"

    return write


def test_a_sound_criterion_passes(own):
    check_criterion(own("(evidence.trained[n] - evidence.initial[n]).abs()"))


def test_one_that_draws_passes_if_it_is_said_to_go_by_position(own):
    name = own("torch.from_numpy(evidence.rng.random(k.shape))")
    check_criterion(name, by_position=True)
    with pytest.raises(AssertionError, match="by the network, not by its place"):
        check_criterion(name)


@pytest.mark.parametrize(
    ("score", "before", "told"),
    [
        (ABS, "np.random.random()", "must draw from the stream that it is given"),
        (f"{ABS} + len(seen)", "seen.append(1)", "must score the same in pruning|the same scores"),
        (ABS, "[w.zero_() for w in evidence.trained.values()]", "must leave evidence.trained as"),
        (ABS, "evidence.inputs.zero_()", "must leave evidence.inputs as it was"),
        (f"{ABS} * evidence.initial[n].nan_to_num()[~k].abs().sum()", "", "must not read weights"),
        ("torch.arange(k.numel()).view(k.shape)", "", "by the network, not by its place"),
    ],
)
def test_what_no_criterion_may_do_is_found(own, score, before, told):
    with pytest.raises(AssertionError, match=told):
        check_criterion(own(score, before))


def test_a_study_gives_copies_of_all_that_is_looked_at(own):
    found, untouched = digits_evidence(SMALL_NETWORK), digits_evidence(SMALL_NETWORK)
    name = own(ABS, "[value.zero_() for value in (evidence.inputs, evidence.labels)]")
    use_named(CRITERION, name)
    criterion_of(name)(found)
    assert torch.equal(found.inputs, untouched.inputs)
    assert torch.equal(found.labels, untouched.labels)


def test_what_gives_no_scores_is_refused_as_in_a_study(own):
    with pytest.raises(ConfigError, match=r"must score every weight of fc1\.weight"):
        check_criterion(own("k.float().mean()"))
