"""The space of a search, and the factors that it takes by name."""

import optuna
import pytest

from lttune.config.design import Factor, LogUniform
from lttune.config.presets import CONV_2, LENET_300_100
from lttune.data import load
from lttune.errors import ConfigError
from lttune.study.checks.configurations import check_space
from lttune.study.search.space import MORE, space_of, widened

LR = Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-2))
BASE = LENET_300_100.override({"data.name": "digits", "data.validation": None})


def test_every_corner_of_a_wider_space_is_a_valid_configuration():
    space = widened(space_of([LR]), MORE, BASE)
    assert list(space) == ["train.lr", *(path for path, _ in MORE.values())]
    corners = check_space(space, BASE, {"digits": load("digits")})
    assert {corner.model.name for corner in corners} == {
        "lenet-150-50",
        "lenet-300-100",
        "lenet-600-200",
    }


def test_the_base_lies_in_a_wider_space():
    # Else no point of a design would, and a search would learn from none.
    space = widened(space_of([LR]), MORE, BASE)
    params = {path: BASE.flat()[path] for path in space}
    optuna.trial.create_trial(params=params, distributions=space, values=[0.0])


@pytest.mark.parametrize(
    ("names", "base", "message"),
    [
        (["momentums"], BASE, "momentum"),
        (["momentum", "momentum"], BASE, "searched already"),
        (["width"], CONV_2, "lenet-H1-H2"),
        (["width"], BASE.override({"model.name": "lenet-1"}), "search_over 'width': Categ"),
        (
            ["warmup"],
            BASE.override({"train.steps": 3, "train.eval_every": 3}),
            "search_over 'warmup': Integer must be of low < high",
        ),
    ],
)
def test_a_factor_that_cannot_be_searched_is_refused(names, base, message):
    with pytest.raises(ConfigError, match=message):
        widened({}, names, base)
