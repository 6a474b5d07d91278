"""A trajectory in a notebook with a criterion or a schedule of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from notebooks import CONFIG, assert_same, ends

from lttune import trajectory
from lttune.errors import ConfigError
from lttune.models.own import use_described

PARTS = """
def score(evidence):
    return {name: evidence.trained[name].abs() for name in evidence.mask}


def rate(train, step):
    return train.lr


def rewound(at):
    return {"start": at.rewound}
"""


@pytest.fixture
def parts(tmp_path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PARTS)
    return path


def own(path: Path) -> dict[str, str]:
    return {"prune.criterion": f"{path}:score", "train.schedule": f"{path}:rate"}


def test_they_are_run(parts):
    found = trajectory(CONFIG.override(own(parts))).levels
    for level, other in zip(found, trajectory(CONFIG).levels, strict=True):
        assert all(torch.equal(value, other.weights[name]) for name, value in level.weights.items())


def test_a_trajectory_keeps_those_with_which_it_began(parts):
    config = CONFIG.override(own(parts))
    whole, begun = trajectory(config), trajectory(config)
    expected = ends(whole)
    next(iter(begun))
    parts.write_text(PARTS.replace("train.lr", "2 * train.lr").replace("abs()", "neg().abs()"))
    other = trajectory(config)
    # Somebody reads a study that has parts of these names.
    described = [{"field": f, "name": name, "source": "0" * 64} for f, name in own(parts).items()]
    use_described({"own": described}, "study.json")
    assert_same(ends(begun), expected)
    assert ends(other)[0] != expected[0]


@pytest.mark.parametrize(
    ("changed", "settings", "told"),
    [
        (PARTS.replace(".abs()", ".sum()"), {}, "prune.criterion: .*:score must "),
        (
            PARTS.replace("return train.lr", "return 0.0"),
            {"controls": ("finetune",)},
            "train.schedule: .*:rate must end above 0 where training goes on",
        ),
    ],
)
def test_they_are_tried_before_anything_is_trained(parts, changed, settings, told):
    parts.write_text(changed)
    with pytest.raises(ConfigError, match=told):
        trajectory(CONFIG.override(own(parts)), **settings)


def test_each_that_cannot_be_imported_has_its_line(parts, tmp_path):
    wrong = {"prune.criterion": f"{parts}:nothing", "data.name": f"{tmp_path}/none.py:pictures"}
    with pytest.raises(ConfigError) as error:
        trajectory(CONFIG.override(wrong))
    assert len(str(error.value).splitlines()) == 2


def test_a_control_of_ones_own_stands_beside_the_ticket_with_its_weights(parts):
    name = f"{parts}:rewound"
    seen = set[tuple[str, int]]()

    def measure(step, network):
        seen.add((network.branch, network.level))
        return {}

    found = trajectory(CONFIG, controls=("reset", name), measure=measure)
    _, *levels = found.levels
    for level in levels:
        assert [*level.branches] == ["reset", "mine.rewound"]
        own, table = level.branches["mine.rewound"], level.branches["reset"]
        assert (own.branch, own.val_accuracy) == ("mine.rewound", table.val_accuracy)
        assert own.row["val_loss"] == table.row["val_loss"]
        assert all(torch.equal(value, table.start[n]) for n, value in own.start.items())
        assert all(torch.equal(keep, level.mask[n]) for n, keep in own.mask.items())
        assert not torch.equal(own.weights["fc1.weight"], own.start["fc1.weight"])
        # Who measures sees what is in the key: the function, wherever its file is.
        assert ("rewound", level.level) in seen


def test_a_trajectory_keeps_the_control_with_which_it_began(parts):
    name = f"{parts}:rewound"
    begun, whole = (trajectory(CONFIG, controls=(name,)) for _ in range(2))
    expected = [one.row["cell"] for level in whole for one in level.networks]
    next(iter(begun))
    parts.write_text(PARTS.replace("at.rewound", "at.initial"))
    other = trajectory(CONFIG, controls=(name,))
    assert [one.row["cell"] for level in begun for one in level.networks] == expected
    assert other.levels[1].branches["mine.rewound"].row["cell"] not in expected


@pytest.mark.parametrize(
    ("controls", "told"),
    [
        (("./none.py:part",), "controls: ./none.py:part cannot be imported: "),
        (("{parts}:rate",), "controls: .*:rate cannot be used: TypeError: rate"),
        (("./a/m.py:f", "./b/m.py:f"), "controls must be another than './a/m.py:f', which records"),
    ],
)
def test_a_control_that_does_not_fit_is_told_before_anything_is_trained(parts, controls, told):
    with pytest.raises(ConfigError, match=told):
        trajectory(CONFIG, controls=[one.replace("{parts}", str(parts)) for one in controls])
