"""What is varied is read by one configuration of the study at least."""

import pytest
from digits_study import LOTTERY

from lttune.data import load
from lttune.errors import ConfigError
from lttune.trajectory.checks import check_idle, check_varied, unread

DATASETS = {"digits": load("digits")}


@pytest.mark.parametrize(
    ("path", "values", "reads"),
    [
        ("train.momentum", (0.5, 0.9), {"train.optimizer": "momentum"}),
        ("train.decay", (0.1, 0.5), {"train.milestones": (20,)}),
        ("model.init_std", (0.1, 0.2), {"model.init": "normal"}),
        ("prune.fraction", (0.1, 0.3), {"prune.scope": "global"}),
        ("prune.fraction", (0.1, 0.3), {"prune.fractions": {"out": 0.1}}),
        ("prune.fractions.fc1", (0.1, 0.3), {"prune.scope": "layer"}),
        ("train.lr", (0.1, 0.3), {}),
        ("data.subsample", (0.5, 1.0), {}),
        ("levels", (1, 2), {}),
    ],
)
def test_a_factor_that_nothing_reads_is_refused(path, values, reads):
    every = {"prune.fractions": {"fc": 0.2, "out": 0.1}} if path == "prune.fraction" else {}
    other = {"prune.scope": "global"} if path == "prune.fractions.fc1" else every
    base = LOTTERY.override(other)
    varied = [base.override({path: value}) for value in values]
    if reads:
        with pytest.raises(ConfigError, match=f"^{path} must be no factor here, since .*, got "):
            check_varied([(path,)], varied, DATASETS)
    check_varied([("train.lr",)], varied, DATASETS)
    # One configuration that reads it is enough.
    check_varied([(path,)], [*varied, varied[0].override(reads)], DATASETS)


def test_lists_steps_and_a_targets_training_are_read():
    reached = [LOTTERY, LOTTERY.override({"train.milestones": (20,)})]
    check_varied([("train.milestones",)], reached, DATASETS)
    reached = [LOTTERY.override({"train.epochs": count}) for count in (1, 2)]
    check_varied([("train.epochs",)], reached, DATASETS)
    base = LOTTERY.override({"train.optimizer": "adam", "target.optimizer": "momentum"})
    reached = [base.override({"train.momentum": value}) for value in (0.5, 0.9)]
    check_varied([("train.momentum",)], reached, DATASETS)
    check_idle(reached[0], reached)


def test_a_wide_design_is_asked_in_little_time():
    base = LOTTERY.override({"train.optimizer": "adam"})
    reached = [base.override({"train.momentum": 0.5 + n / 1000}) for n in range(256)]
    built = []
    with pytest.MonkeyPatch.context() as patch:
        make = unread.network_of
        patch.setattr(unread, "network_of", lambda *of: built.append(of) or make(*of))
        with pytest.raises(ConfigError, match=r"^train\.momentum must be no factor here"):
            check_varied([("train.momentum",)], reached, DATASETS)
    assert len(built) == 1


def test_what_is_read_by_a_reached_optimizer_is_a_factor():
    base = LOTTERY.override({"train.optimizer": "adam"})
    paths = {"train.momentum": 0.5, "train.optimizer": "momentum"}
    reached = [base, *(base.override({path: value}) for path, value in paths.items())]
    check_varied([(path,) for path in paths], reached, DATASETS)


def test_what_is_followed_by_something_that_is_read_is_a_factor():
    base = LOTTERY.override({"prune.fractions": {"fc": 0.2, "out": 0.1}})
    reached = [base.override({"prune.fraction": f, "prune.fractions.fc": f}) for f in (0.1, 0.3)]
    check_varied([("prune.fraction", "prune.fractions.fc")], reached, DATASETS)
    with pytest.raises(ConfigError, match=r"^prune.fraction must be no factor here"):
        check_varied([("prune.fraction",)], reached, DATASETS)
