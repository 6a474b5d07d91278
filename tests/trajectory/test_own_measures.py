"""Measurements of one's own in studies: what they see, what is kept, what they cannot change."""

from __future__ import annotations

import math

import pytest
import torch
from measures import CARELESS, SEEN, SHORT, cell, giving, measuring, plain
from own_networks import MLP, written
from own_parts import rows

from lttune import trajectory
from lttune.config import LotteryConfig, from_dict
from lttune.errors import ConfigError
from lttune.models.own import read_code, use
from lttune.trajectory.measurements.own import MEASURE, MOST_MEASURED


@pytest.mark.parametrize("engine", ["sparse", "torch", "stacked", "own"])
def test_whatever_a_measurement_does_the_networks_are_the_same_to_the_bit(engine, tmp_path):
    if engine == "sparse":
        pytest.importorskip("numba")
    config = SHORT
    if engine == "own":
        dropping = MLP.replace("nn.ReLU()", "nn.Sequential(nn.ReLU(), nn.Dropout(0.2))")
        config = SHORT.override({"model.name": written(tmp_path, dropping)})
        use([read_code(config.model.name)])
    engine = "torch" if engine == "own" else engine
    measured = config.override({MEASURE: (measuring(tmp_path, CARELESS, "careless"),)})
    one, other = (
        rows(each, tmp_path / "cells", ("reinit", "sibling"), engine) for each in (config, measured)
    )
    assert plain(one) == plain(other)
    assert {row["cell"] for row in one}.isdisjoint(row["cell"] for row in other)
    for a, b in zip(one, other, strict=True):
        tensors, others = (cell(row, tmp_path / "cells").tensors for row in (a, b))
        assert tensors.keys() == others.keys()
        assert all(torch.equal(value, others[name]) for name, value in tensors.items())
        assert 0.1 < b["measured.careless"] < 100
    assert torch.get_default_device().type == "cpu"
    assert torch.tensor(1e-40).mul(1.0) > 0


def test_it_sees_what_was_evaluated_at_every_evaluation_of_every_training(tmp_path):
    name = measuring(tmp_path, SEEN, "seen")
    config = SHORT.override({MEASURE: (name,), "train.steps": 60, "train.lr": 0.05})
    found = rows(config, tmp_path / "cells", ("reinit", "random", "finetune"))
    assert [row["branch"] for row in found] == ["trunk", "trunk", "reinit", "random", "finetune"]
    assert any(not row["early_stop_at_end"] for row in found)
    for row in found:
        history = cell(row, tmp_path / "cells").record["history"]
        steps = [entry["step"] for entry in history]
        assert [entry["measured"]["at"] for entry in history] == steps
        for entry in history:
            assert list(entry["measured"]) == ["accuracy", "at", "kept"]
            assert entry["measured"]["accuracy"] == pytest.approx(entry["val_accuracy"])
        assert row["measured.at"] == row["early_stop_step"]
        assert row["end_measured.at"] == steps[-1]
        assert row["measured.accuracy"] == pytest.approx(row["val_accuracy"])
        assert row["end_measured.accuracy"] == pytest.approx(row["end_val_accuracy"])
        assert row["measured.kept"] == row["end_measured.kept"] == row["surviving"]


def test_a_function_sees_its_branch_its_level_and_copies_of_its_own(tmp_path):
    source = """
def first(step, network):
    network.weights["fc1.weight"].zero_()
    return {"depth": network.level}

def second(step, network):
    return {"control": network.branch == "reinit", "norm": network.weights["fc1.weight"].norm()}
"""
    names = tuple(measuring(tmp_path, source, function) for function in ("first", "second"))
    found = rows(SHORT.override({MEASURE: names}), tmp_path / "cells", ("reinit",))
    told = [(row["measured.depth"], row["measured.control"]) for row in found]
    assert told == [(0, 0), (1, 0), (1, 1)]
    assert all(row["measured.norm"] > 1 for row in found)


def test_a_number_alone_has_the_name_of_its_function(tmp_path):
    for place, what in enumerate(("2", "np.float32(2)", "torch.tensor([2.0])", "np.array(2)")):
        name = giving(tmp_path, what, file=f"number{place}.py")
        (row,) = rows(SHORT.override({"levels": 0, MEASURE: (name,)}), tmp_path / "cells")
        assert (row["measured.part"], type(row["measured.part"])) == (2.0, float)


def test_what_is_not_known_is_missing_and_no_mistake(tmp_path):
    name = giving(tmp_path, "{'late': step if step > 15 else math.nan}")
    (row,) = rows(SHORT.override({"levels": 0, MEASURE: (name,)}), tmp_path / "cells")
    assert row["end_measured.late"] == 20
    found = cell(row, tmp_path / "cells").record["history"]
    assert [entry["measured"] for entry in found] == [{"late": None}, {"late": None}, {"late": 20}]


def test_what_diverged_was_not_measured_there(tmp_path):
    wild = {"train.optimizer": "sgd", "train.lr": 1e8, MEASURE: (giving(tmp_path, "{'x': step}"),)}
    (row,) = rows(SHORT.override(wild), tmp_path / "cells")
    assert row["diverged"]
    assert (row["measured.x"], row["end_measured.x"]) == (0, None)


NAMES = "must use names of 1 to 64 letters, digits and '_', got "
WHERE = r"at step 0 of level 0 \(trunk\)"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("None", f"must return a number, or numbers by their names, got None {WHERE}"),
        ("'3'", f"must return a number, or numbers by their names, got '3' {WHERE}"),
        ("[1, 2]", rf"must return a number, or numbers by their names, got \[1, 2\] {WHERE}"),
        ("{'fc1.weight': 1}", f"{NAMES}'fc1.weight'"),
        ("{'': 1}", f"{NAMES}'' "),
        ("{3: 1}", f"{NAMES}3 "),
        ("{'ä': 1}", f"{NAMES}'ä' "),
        ("{'x' * 65: 1}", "must use names of 1 to 64 letters"),
        ("{'val_loss': 1}", "must use other names than every evaluation has, got 'val_loss' "),
        ("{'x': math.inf}", f"must give x as a finite number, or NaN where .*, got inf {WHERE}"),
        ("{'x': -math.inf}", "must give x as a finite number, .* got -inf"),
        ("math.inf", "must give part as a finite number, .* got inf"),
        ("{'x': None}", "must give x as a finite number, .* got None"),
        ("{'x': '3'}", "must give x as a finite number, .* got '3'"),
        ("{'x': 1j}", "must give x as a finite number, .* got 1j"),
        ("{'x': 10 ** 400}", "must give x as a finite number, .* got 1000"),
        ("{'x': torch.eye(2)}", r"must give x as a finite number, .* got tensor\("),
        ("{'x': torch.ones(1, device='meta')}", r"must give x as a finite number, .* got tensor\("),
        ("{f'x{n}': n for n in range(25)}", "must give at most 24 numbers"),
        ("network.nothing", "cannot be used: AttributeError: .* no attribute 'nothing'"),
    ],
)
def test_what_is_no_number_with_a_name_is_one_line(what, told, tmp_path):
    config = SHORT.override({MEASURE: (giving(tmp_path, what),)})
    with pytest.raises(ConfigError, match=rf"^train\.measure: \S+giving\.py:part {told}") as raised:
        rows(config, tmp_path / "cells")
    assert "\n" not in str(raised.value)
    assert not list((tmp_path / "cells").glob("??/*"))


def test_names_are_the_same_at_each_evaluation_of_a_training(tmp_path):
    name = giving(tmp_path, "{'x': 1} if step < 10 else {'x': 1, 'y': 2}")
    told = "must give the same names at each evaluation of a training: x, got x, y at step 10 of "
    with pytest.raises(ConfigError, match=told):
        rows(SHORT.override({MEASURE: (name,)}), tmp_path / "cells")
    # Networks have measurements of their own: other levels may have other layers to tell of.
    by_level = giving(tmp_path, "{f'level{network.level}': 1}", file="levels.py")
    found = rows(SHORT.override({MEASURE: (by_level,)}), tmp_path / "cells")
    assert ["measured.level0" in row for row in found] == [True, False]


def test_two_functions_share_no_name_and_the_room(tmp_path):
    def both(*what):
        names = [giving(tmp_path, one, file=f"both{at}.py") for at, one in enumerate(what)]
        return rows(SHORT.override({"levels": 0, MEASURE: tuple(names)}), tmp_path / "cells")

    told = r"both1\.py:part must give names of its own, got another function's y$"
    with pytest.raises(ConfigError, match=told):
        both("{'x': 1, 'y': 1}", "{'y': 2}")
    many = "{{f'{}{{n}}': n for n in range({})}}"
    with pytest.raises(ConfigError, match="at most 24 numbers, together with the others"):
        both(many.format("x", 12), many.format("y", 13))
    (row,) = both(many.format("x", 12), many.format("y", 12))
    assert sum(name.startswith("measured.") for name in row) == MOST_MEASURED


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (("magnitude",), r"\('magnitude',\)"),
        (("./mine.py:f", "./mine.py:f"), r"\('\./mine\.py:f', '\./mine\.py:f'\)"),
        ((3,), r"\(3,\)"),
    ],
)
def test_what_names_no_functions_is_one_line(value, got):
    told = rf"^train\.measure must be functions, each once: \./FILE\.py:FUNCTION or .*, got {got}$"
    with pytest.raises(ConfigError, match=told):
        LotteryConfig().override({MEASURE: value})


def test_a_learned_mask_is_not_measured():
    learned = {"method": "supermask", "levels": 1, MEASURE: ("./mine.py:f",)}
    with pytest.raises(ConfigError, match=r"^train\.measure must be left out where method is"):
        LotteryConfig().override(learned)


def test_it_is_written_and_read_again():
    config = LotteryConfig().override({MEASURE: ["./mine.py:f", "tools.mine:g"]})
    assert config.flat()[MEASURE] == "./mine.py:f tools.mine:g"
    assert from_dict(config.nested()) == config
    assert config.override({MEASURE: ()}) == LotteryConfig()


def test_a_notebook_has_them_as_columns_and_a_store(tmp_path):
    name = measuring(tmp_path, SEEN, "seen")
    config = SHORT.override({MEASURE: (name,)})
    store = tmp_path / "cells"
    table = trajectory(config, controls=("random",), store=store).evaluations()
    assert table["accuracy"].to_list() == pytest.approx(table["val_accuracy"].to_list(), abs=0.005)
    assert table["at"].to_list() == table["step"].to_list()
    again = trajectory(config, controls=("random",), store=store)
    assert again.frame()["reused"].all()
    assert again.evaluations().equals(table)
    assert "measured.kept" in again.frame()
    with pytest.raises(ConfigError, match=r"^measure must be left out where train\.measure names"):
        trajectory(config, measure=lambda step, network: {"x": 1})


def test_a_function_of_a_notebook_may_give_a_number_alone():
    def depth(step, network):
        return network.level + math.pi

    table = trajectory(SHORT, measure=depth).evaluations()
    assert table["depth"].to_list() == pytest.approx([math.pi] * 3 + [1 + math.pi] * 3)
