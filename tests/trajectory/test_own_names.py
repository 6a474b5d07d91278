"""Which code of one's own settings name: by one table, whoever asks."""

from __future__ import annotations

from accepted import accepting

from lttune.config import LotteryConfig
from lttune.data.made import PICTURES
from lttune.records.own import OBJECTIVE
from lttune.trajectory.branches.own import CONTROL_SETTING
from lttune.trajectory.checks.own_names import OWN_HPARAMS, OWN_SETTINGS, own_names
from lttune.trajectory.measurements.own import MEASURE

FREE_TEXTS = {"prune.exclude"}
"""Settings that take any text, and run none."""


def test_the_table_has_every_setting_that_may_name_code():
    assert OWN_HPARAMS.keys() == accepting("./mine.py:part")
    lists = accepting(("./mine.py:part",)) - FREE_TEXTS
    assert lists | accepting("./mine.py:part") | {OBJECTIVE, CONTROL_SETTING} == OWN_SETTINGS.keys()


def test_all_that_is_of_ones_own_is_named_once_in_the_tables_order():
    hparams = {path: f"./{field}.py:part" for path, field in OWN_HPARAMS.items()}
    config = LotteryConfig().override(hparams | {MEASURE: ("m:one", "m:two")})
    others = [(OBJECTIVE, "goal:part"), (PICTURES, "more:part"), (PICTURES, "more:part")]
    assert own_names(config, ["random", "side:part"], others) == [
        (OBJECTIVE, "goal:part"),
        (MEASURE, "m:one"),
        (MEASURE, "m:two"),
        *((field, f"./{field}.py:part") for field in dict.fromkeys(OWN_HPARAMS.values())),
        (PICTURES, "more:part"),
        (CONTROL_SETTING, "side:part"),
    ]


def test_rows_of_tables_and_paths_are_none_and_a_network_of_torchvision_is():
    config = LotteryConfig().override({"data.name": "./mine.npz", "target.data": "digits"})
    assert own_names(config, ["random"], [(OBJECTIVE, "gap")]) == []
    (found,) = own_names(config.override({"model.name": "torchvision:resnet18"}))
    assert found == ("model.name", "torchvision:resnet18")
