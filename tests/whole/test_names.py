"""Every name that a configuration accepts is one that something answers to, and no other is."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from lttune import config
from lttune.config import ModelConfig, TrainConfig
from lttune.config.lottery import data as data_config
from lttune.config.lottery import lottery as lottery_config
from lttune.config.lottery import model as model_config
from lttune.config.lottery import prune as prune_config
from lttune.config.lottery import train as train_config
from lttune.data import LOADERS, load
from lttune.data.augmentation import AUGMENTATIONS, augmented
from lttune.data.transforms import TASKS, shape_and_classes
from lttune.errors import ConfigError
from lttune.models.architectures import FAMILIES, architecture
from lttune.models.initialisers import INITIALISERS, NORM_INITIALISERS
from lttune.pruning.criteria import CRITERIA
from lttune.pruning.rule import SCOPES, competing_groups
from lttune.study import settings
from lttune.study.search.proposals import SAMPLERS
from lttune.training.engines.plain import PLAIN_RULES as PLAIN
from lttune.training.engines.stacked.rules import RULES as STACKED
from lttune.training.engines.torch.engine import PRECISIONS, set_precision
from lttune.training.engines.torch.optimizers import OPTIMIZERS, optimizer
from lttune.training.schedule import SCHEDULES
from lttune.trajectory.starts import HOLDS, STARTS, training_of

TABLES = [
    (data_config.DatasetName, LOADERS),
    (data_config.AugmentName, AUGMENTATIONS),
    (data_config.TaskName, TASKS),
    (model_config.InitName, {"normal", "module", *INITIALISERS}),
    (model_config.NormInitName, NORM_INITIALISERS),
    (prune_config.CriterionName, CRITERIA),
    (prune_config.ScopeName, SCOPES),
    (train_config.OptimizerName, OPTIMIZERS),
    (train_config.ScheduleName, SCHEDULES),
    (train_config.PrecisionName, PRECISIONS),
    (lottery_config.KeptName, STARTS),
    (lottery_config.PrunedName, HOLDS),
    (settings.SamplerName, SAMPLERS),
]


@pytest.mark.parametrize(("names", "table"), TABLES)
def test_the_names_of_the_fields_are_those_of_the_tables(names, table):
    assert sorted(get_args(names)) == sorted(table)


def test_plain_rules_are_those_that_both_engines_have():
    kernels = pytest.importorskip("lttune.training.engines.sparse.kernels.optimizers")
    assert set(PLAIN) == set(STACKED) == set(kernels.RULE_KINDS) < set(OPTIMIZERS)


def test_every_family_makes_a_network():
    examples = ("lenet-4", "lenet5", "conv-2", "resnet-20-2", "vgg-11-2", "densenet-22-12")
    names = [*examples, *(f"resnet{depth}-2" for depth in (18, 34, 50))]
    assert {name.split("-")[0] for name in names} == {name for name in FAMILIES if ":" not in name}
    with torch.device("meta"):
        made = [architecture(ModelConfig(name=name), (8, 8), 3) for name in names]
    assert [module(torch.zeros(2, 8, 8, device="meta")).shape for module in made] == [(2, 3)] * 9


def falsified(value, field, name):
    """Returns a configuration with a name that it would refuse itself."""
    object.__setattr__(value, field, name)
    return value


@pytest.mark.parametrize(
    ("path", "use"),
    [
        ("data.name", lambda: load("x")),
        (
            "data.task",
            lambda: shape_and_classes(load("digits"), falsified(config.DataConfig(), "task", "x")),
        ),
        ("data.augment", lambda: augmented(torch.zeros(1, 2, 2), "x", np.random.default_rng(0))),
        (
            "model.name",
            lambda: architecture(falsified(ModelConfig(), "name", "resnet19"), (8, 8), 3),
        ),
        (
            "prune.scope",
            lambda: competing_groups(falsified(config.PruneConfig(), "scope", "x"), {"fc1": "fc"}),
        ),
        (
            "train.optimizer",
            lambda: optimizer(falsified(TrainConfig(), "optimizer", "x"), torch.zeros(1)),
        ),
        (
            "train.precision",
            lambda: set_precision(falsified(TrainConfig(), "precision", "x"), torch.device("cpu")),
        ),
        ("kept", lambda: training_of(SimpleNamespace(train=None, rewind_step=0), "x")),
    ],
)
def test_an_unknown_name_is_never_the_last_branch(path, use):
    with pytest.raises(ConfigError, match=f"^{path} must be one of"):
        use()


def test_no_source_compares_a_branch_with_the_trunk_s_name_in_letters():
    """It is ``lttune.config.control.TRUNK``."""
    root = Path(config.__file__).parents[2]
    sources = [path for top in ("lttune", "analysis") for path in (root / top).rglob("*.py")]
    assert [path for path in sources if re.search('[!=]= "trunk"', path.read_text())] == []
