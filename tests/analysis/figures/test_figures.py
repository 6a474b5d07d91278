"""The tables behind the figures of sweeps and controls."""

import dataclasses
import math
import statistics
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sample_study import anchor_rows, write_study
from sample_sweeps import accuracy_of, study_on_a_proxy, sweep, swept_study

from analysis import load
from analysis.figures import lines
from analysis.figures import sweeps as sweep_figures
from analysis.report import answer
from analysis.statistics.bands import simultaneous_band
from analysis.tables import controls, sweeps
from analysis.tables import same_setting as places
from analysis.tables.curves import difference_table
from analysis.tables.lines import line_table
from lttune.config.control import ControlName, branch_name


@pytest.fixture
def swept(tmp_path):
    return swept_study(tmp_path)


def test_a_sweep_on_another_network_is_compared_with_its_own_base(tmp_path):
    points = [
        ("paper", {}, "paper", 0.03),
        ("criterion=snip", {"prune.criterion": "snip"}, "sweep", 0.02),
        ("criterion=random", {"prune.criterion": "random"}, "sweep", 0.02),
    ]
    study = study_on_a_proxy(tmp_path / "with", points)
    networks = sweeps.sweep_networks(study)
    assert set(networks["factor"]) == {"criterion"}  # The paper's point is no sweep of one value.
    base = networks[networks["mark"] == "base"]
    assert set(base["value"]) == {sweeps.BASE_VALUE}
    assert set(base["model.name"]) == {"lenet-9-5"}
    assert set(base["phase"]) == {"sweep"}
    (figure,) = sweep_figures.sweeps(study, "")
    assert figure.title == "Sweep of criterion on lenet-9-5, mnist / 2, 9 steps"
    said = " ".join(answer.answer(study))
    assert "Sweep of criterion on lenet-9-5, mnist / 2, 9 steps: with" in said
    # Without one of its own it has none: the anchor is another network on other pictures.
    alone = study_on_a_proxy(tmp_path / "without", points[1:])
    assert set(sweeps.sweep_networks(alone)["mark"]) == {""}


def test_a_sweep_of_networks_keeps_a_base_on_the_same_data(tmp_path):
    study = study_on_a_proxy(
        tmp_path,
        [
            ("paper", {}, "paper", 0.0),
            ("width=4-2", {"model.name": "lenet-4-2"}, "sweep", 0.0),
            ("width=8-4", {"model.name": "lenet-8-4"}, "sweep", 0.0),
        ],
    )
    records = study.records.copy()
    names = {10 + 3 * r + i: n for r in range(3) for i, n in ((1, "lenet-4-2"), (2, "lenet-8-4"))}
    records["model.name"] = records["trial"].map(names).fillna(records["model.name"])
    networks = sweeps.sweep_networks(dataclasses.replace(study, records=records))
    assert networks.groupby("value", sort=False)["mark"].first().to_dict() == {
        "4-2": "",
        "8-4": "",
        sweeps.BASE_VALUE: "base",
    }
    found = places.proxy_table(dataclasses.replace(study, records=records))
    assert found.to_dict("list") == {
        "place": [f"lenet-{n}, mnist / 2, 9 steps" for n in ("9-5", "4-2", "8-4")],
        "trials": [3, 3, 3],
    }


def test_points_are_sorted_into_factors_with_the_papers_value_marked(swept):
    networks = sweeps.sweep_networks(swept)
    values = {
        factor: list(dict.fromkeys(mine["value"]))
        for factor, mine in networks.groupby("factor", sort=False)
    }
    # Numbers by size, words as declared; where no value is marked, the anchor stands last.
    assert values == {
        "lr": ["1e-3", "0.01", "0.1"],
        "criterion": ["snip", "large_final"],
        "rewind_step": ["late", sweeps.BASE_VALUE],
    }
    marks = networks.groupby(["factor", "value"])["mark"].first()
    assert marks["lr", "0.01"] == "base"
    assert marks["criterion", "large_final"] == "paper"
    assert marks["rewind_step", sweeps.BASE_VALUE] == "base"
    assert set(marks) == {"", "base", "paper"}
    assert marks["lr", "0.1"] == marks["criterion", "snip"] == ""


def test_a_curve_has_the_mean_and_band_of_its_own_replicates(swept):
    networks = sweeps.sweep_networks(swept).query("factor == 'lr'")
    table = sweeps.sweep_table(networks, "gain")
    assert len(table) == 3 * 5 * (3 + 1)
    gains = np.array(
        [accuracy_of(networks, "0.1", k) - accuracy_of(networks, "0.1", 0) for k in range(5)]
    ).T
    oracle = simultaneous_band(gains)
    mean = table[(table["curve"] == "0.1") & (table["statistic"] == "mean")]
    assert mean["value"].to_numpy() == pytest.approx(gains.mean(0))
    assert mean["low"].to_numpy() == pytest.approx(oracle.low)
    assert mean["high"].to_numpy() == pytest.approx(oracle.high)
    assert set(mean["n"]) == {3}
    # Simultaneous bands are wider than intervals of one density at a time.
    one = statistics.stdev(gains[:, 3]) / math.sqrt(3) * 4.303
    assert mean["high"].iloc[3] - mean["value"].iloc[3] > 1.5 * one


def test_gain_at_a_density_is_interpolated_and_leaves_out_what_diverged(tmp_path):
    trials, rows = sweep([("lr=0.1", {"train.lr": 0.1}, "sweep", 0.05)])
    for row in rows:
        row |= {"diverged": row["replicate"] == 1 and row["level"] == 3}
    networks = sweeps.sweep_networks(load(write_study(tmp_path, rows, trials, {"sweep": 3})))
    between = math.sqrt(0.8**2 * 0.8**3)
    table = sweeps.gain_table(networks, (0.64, between, 0.01)).set_index("density")
    assert table.index.tolist() == [0.64, between]  # Nothing reached 1 %.
    accuracy = {k: accuracy_of(networks, "0.1", k) for k in (0, 2, 3)}
    assert table.loc[0.64, "mean"] == pytest.approx((accuracy[2] - accuracy[0]).mean())
    assert table["n"].tolist() == [3, 2]
    assert set(table["replicates"]) == {3}
    assert set(table["diverged"]) == {1}
    half = ((accuracy[2] + accuracy[3]) / 2)[[0, 2]]
    assert table.loc[between, "mean"] == pytest.approx((half - accuracy[0][[0, 2]]).mean())
    assert table.loc[between, "accuracy"] == pytest.approx(half.mean())


def test_a_study_of_few_levels_has_its_gain_at_the_last_one(tmp_path):
    trials, rows = sweep([("lr=0.1", {"train.lr": 0.1}, "sweep", 0.05)], levels=1)
    networks = sweeps.sweep_networks(load(write_study(tmp_path, rows, trials, {"sweep": 3})))
    table = sweeps.gain_table(networks)
    assert table["density"].tolist() == [0.8]
    assert table["mean"].item() == pytest.approx(-0.05, abs=0.005)
    assert sweeps.gain_table(networks.iloc[:0]).empty


def test_the_target_has_its_own_dense_network_and_controls(tmp_path):
    rows = anchor_rows()
    where = {"trunk": 0.0, "transfer": -0.3, "transfer_random": -0.4}
    rows += [
        {**row, "branch": name, "test_accuracy": row["test_accuracy"] + where[name]}
        for name in ("transfer", "transfer_random")
        for row in anchor_rows()
        if row["branch"] == "trunk" and (name == "transfer" or row["level"] > 0)
    ]
    study = load(write_study(tmp_path, rows))
    home = difference_table(study.records, "test_accuracy")
    assert set(home["versus"]) == {"dense", "reinit", "random"}
    away = difference_table(controls.on_target(study.records), "test_accuracy")
    assert set(away["versus"]) == {"dense", "random"}
    for versus, expected in (("dense", home.query("versus == 'dense'")["mean"]), ("random", 0.1)):
        mine = away[away["versus"] == versus]["mean"]
        assert mine.to_numpy() == pytest.approx(np.broadcast_to(expected, len(mine)))


def test_controls_stand_in_families_and_unknown_ones_last():
    found = controls.shown_families(
        {"trunk", "reinit", "random", "shuffle", "newer", "transfer", branch_name("./mine.py:swap")}
    )
    assert found == {
        "Other masks": ["random", "shuffle"],
        "Controls of one's own": ["mine.swap"],
        "Others": ["newer"],
    }
    assert controls.shown_families({"trunk", "reinit", "random"}) == {}


def test_every_control_has_a_name_and_a_place():
    placed = {name for names in controls.HOME_FAMILIES.values() for name in names}
    assert placed | set(controls.TARGET_PARTS) == set(get_args(ControlName))
    assert placed <= controls.LABELS.keys()


def test_labels_at_the_ends_of_curves_do_not_touch():
    table = line_table(
        pd.DataFrame(
            [
                {"name": name, "replicate": 0, "level": k, "density": 0.5**k, "diverged": False}
                | {"y": 0.5 + 1e-4 * i * k}
                for i, name in enumerate("abcd")
                for k in range(3)
            ]
        ),
        "y",
        "name",
    )
    ax = Figure().subplots()
    shown = lines.looks(list("abcd"))
    lines.draw_lines(ax, table, shown)
    ax.set_ylim(0, 1)
    lines.label_ends(ax, table, shown)
    heights = sorted((text.xy[1], text.get_text()) for text in ax.texts)
    assert [name for _, name in heights] == list("abcd")
    assert min(np.diff([height for height, _ in heights])) >= 0.06
