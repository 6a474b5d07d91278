"""The tables behind the figures of sweeps, controls, designs, budgets and weights."""

import dataclasses
import itertools
import math
import statistics
from functools import partial
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from test_analysis import anchor_rows, network, search_trials, trial, write_study

from analysis import (
    answer,
    budget_figures,
    claim_figures,
    controls,
    design_importance,
    design_points,
    drawings,
    lines,
    load,
    map_figures,
    noise,
    places,
    sweep_figures,
    sweeps,
    verdict_section,
    weight_figures,
    widths,
)
from analysis.curves import difference_table
from analysis.importance import importance_by_density
from analysis.statistics.bands import simultaneous_band
from lttune import records
from lttune.settings import ControlName

LOTTERY = {"levels": 4, "train": {"lr": 0.01, "steps": 9}, "prune": {"fraction": 0.2}}


def sweep(points, replicates=3, levels=4, start=10, phase="sweep"):
    """Returns trials and rows of points: (label, hparams, role, loss of accuracy per level)."""
    rng = np.random.default_rng(3)
    trials, rows = [], []
    for replicate, (label, hparams, role, slope) in itertools.product(range(replicates), points):
        number = start + len(trials)
        name = f"{label} replicate={replicate}"
        facts = {"label": name, "hparams": hparams, "role": role, "replicates": [replicate]}
        trials.append(trial(number, phase, 0.9 - slope, **facts))
        rows += [
            network(
                phase,
                number,
                replicate,
                "trunk",
                level,
                0.9 + 0.01 * replicate - slope * level + rng.normal(0, 1e-3) * (level > 0),
                role=role,
            )
            for level in range(levels + 1)
        ]
    return trials, rows


POINTS = [
    ("lr=0.1", {"train.lr": 0.1}, "sweep", 0.05),
    ("lr=1e-3", {"train.lr": 1e-3}, "sweep", 0.01),
    ("lr=0.01", {"train.lr": 0.01}, "sweep", 0.0),
    ("criterion=snip", {"prune.criterion": "snip"}, "sweep", 0.02),
    ("criterion=large_final", {"prune.criterion": "large_final"}, "paper", 0.0),
    ("late", {"rewind_step": 9}, "sweep", 0.0),
]


@pytest.fixture
def swept(tmp_path):
    trials, rows = sweep(POINTS)
    return load(
        write_study(
            tmp_path,
            [*anchor_rows(), *rows],
            [*(trial(n) for n in range(3)), *trials],
            {"anchor": 3, "sweep": len(trials)},
            lottery=LOTTERY,
        )
    )


PROXY = {"model.name": "lenet-9-5", "data.pool": 2}


def on_proxy(trials, rows):
    """Returns a sweep's trials and rows as those of another network on pooled pictures."""
    trials = [one | {"hparams": {**PROXY, **one["hparams"]}} for one in trials]
    return trials, [row | PROXY for row in rows]


def study_on_a_proxy(folder, points):
    place = {"model.name": "lenet-300-100", "data.pool": 1, "data.name": "mnist"}
    place |= {"train.steps": 9}
    trials, rows = on_proxy(*sweep(points))
    rows = [place | row for row in rows]
    lottery = {**LOTTERY, "model": {"name": "lenet-300-100"}, "data": {"name": "mnist", "pool": 1}}
    return load(
        write_study(
            folder,
            [*(row | place for row in anchor_rows()), *rows],
            [*(trial(n) for n in range(3)), *trials],
            {"anchor": 3, "sweep": len(trials)},
            lottery=lottery,
        )
    )


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
    assert set(base["value"]) == {sweeps.BASE}
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
        sweeps.BASE: "base",
    }
    found = places.proxy_table(dataclasses.replace(study, records=records))
    assert found.to_dict("list") == {
        "place": [f"lenet-{n}, mnist / 2, 9 steps" for n in ("9-5", "4-2", "8-4")],
        "trials": [3, 3, 3],
    }


def accuracy_of(rows, value, level):
    found = rows[(rows["value"] == value) & (rows["level"] == level)]
    return found.set_index("replicate")["test_accuracy"]


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
        "rewind_step": ["late", sweeps.BASE],
    }
    marks = networks.groupby(["factor", "value"])["mark"].first()
    assert marks["lr", "0.01"] == "base"
    assert marks["criterion", "large_final"] == "paper"
    assert marks["rewind_step", sweeps.BASE] == "base"
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
    found = controls.families({"trunk", "reinit", "random", "shuffle", "newer", "transfer"})
    assert found == {"Other masks": ["random", "shuffle"], "Others": ["newer"]}
    assert controls.families({"trunk", "reinit", "random"}) == {}


def test_every_control_has_a_name_and_a_place():
    placed = {name for names in controls.FAMILIES.values() for name in names}
    assert placed | set(controls.TARGET) == set(get_args(ControlName))
    assert placed <= controls.LABELS.keys()


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_expected_best_of_random_trials_is_that_of_all_subsets(tmp_path, direction):
    design = [(f"sobol-{i:03d}", {"train.lr": 0.1 * i}, "design", 0.1 * i) for i in range(6)]
    design.append(("paper", {}, "paper", -9.0))
    trials, _ = sweep(design, replicates=2, phase="design")
    trials += search_trials(3, start=99)
    objective = {"name": "x", "text": "", "direction": direction}
    study = load(write_study(tmp_path, trials=trials, objective=objective))
    table = budget_figures.budget_table(study)
    pick = max if direction == "maximize" else min
    random = table[table["curve"] == "random"].set_index("k")
    values = [0.9 - 0.1 * i for i in range(6)]
    assert set(random["n"]) == {6}  # A point counts once, and the paper's is no draw.
    for k in (1, 2, 3):
        oracle = statistics.fmean(pick(some) for some in itertools.combinations(values, k))
        assert random.loc[k, "value"] == pytest.approx(oracle)
        assert random.loc[k, "low"] <= oracle <= random.loc[k, "high"]
    found = [t["objective"] for t in trials[-3:]]
    search = table[table["curve"] == "search"]["value"].tolist()
    assert search == pytest.approx([pick(found[: k + 1]) for k in range(3)])


def test_a_search_alone_has_no_random_control_unless_it_was_random(tmp_path):
    alone = load(write_study(tmp_path / "a", trials=search_trials(6)))
    assert budget_figures.budget_table(alone).empty
    config = {"sampler": "random"}
    random = load(write_study(tmp_path / "b", trials=search_trials(6), config=config))
    assert set(budget_figures.budget_table(random)["curve"]) == {"random"}


def test_the_map_marks_divergence_and_networks_that_never_learned(tmp_path):
    design = [
        (f"sobol-{i}", {"train.lr": lr, "prune.fraction": f}, "design", slope)
        for i, (lr, f, slope) in enumerate([(0.01, 0.2, 0.001), (0.1, 0.3, 0.02), (1.0, 0.4, 0)])
    ]
    trials, rows = sweep(design, replicates=2, levels=8, phase="design")
    for row in rows:
        if row["trial"] in (12, 15):
            row["test_accuracy"] = 0.1
        row["diverged"] = row["trial"] == 11 and row["level"] == 7
    study = load(write_study(tmp_path, rows, trials, {"design": 6}, lottery=LOTTERY))
    table, name = map_figures.map_table(study)
    assert name == "prune.fraction"
    assert table["n"].tolist() == [2, 1, 2]
    assert table["diverged"].tolist() == [0, 1, 0]
    assert table["dense"].tolist() == pytest.approx([0.905, 0.9, 0.1], abs=0.02)
    labels = map_figures.lr_fraction(study, "").figure.axes[0].get_legend_handles_labels()[1]
    assert "a network diverged (n = 1)" in labels
    assert "dense accuracy below half of the best (n = 1)" in labels
    assert "at most 0.2 points below dense (n = 0)" in labels


def test_a_study_that_varies_one_of_the_two_has_no_map(swept):
    assert map_figures.lr_fraction(swept, "") is None


def design_study(folder, points=16, **info):
    """Writes a study whose accuracy at every density is a line in the learning rate's logarithm."""
    unit = np.linspace(0.03, 0.97, points)
    shuffled = np.random.default_rng(0).permutation(unit)
    label = {i: (f"sobol-{i:03d}", {"train.lr": 10 ** (2 * u - 4)}) for i, u in enumerate(unit)}
    trials, rows = [], []
    for i, (name, hparams) in label.items():
        for replicate in range(2 if i < 4 else 1):
            number, role = len(trials), "repeat" if i < 4 else "design"
            facts = {"label": f"{name} replicate={replicate}", "hparams": hparams, "role": role}
            trials.append(trial(number, "design", replicates=[replicate], **facts))
            rows += [
                network(
                    "design",
                    number,
                    replicate,
                    "trunk",
                    level,
                    0.8 + 0.1 * unit[i] + 0.001 * replicate,
                    inert=shuffled[i],
                )
                for level in range(5)
            ]
    factors = [
        {"path": "train.lr", "kind": "log_uniform", "low": 1e-4, "high": 1e-2, "linked": {}},
        {"path": "inert", "kind": "uniform", "low": 0.0, "high": 1.0, "linked": {}},
    ]
    info = {"factors": factors, "lottery": LOTTERY, "space": {}} | info
    return load(write_study(folder, rows, trials, {"design": len(trials)}, **info))


def test_replicates_of_a_design_point_are_one_point(tmp_path):
    points = design_points.design_points(design_study(tmp_path))
    assert len(points) == 16
    assert points["trials"].iloc[0] == [0, 1]
    assert points["trial"].tolist()[:3] == [0, 2, 4]
    assert points["train.lr"].iloc[0] == pytest.approx(10 ** (2 * 0.03 - 4))
    assert points["inert"].notna().all()


NOTHING = {
    "noise": pd.DataFrame(columns=noise.NOISE_COLUMNS),
    "widths": pd.DataFrame(columns=widths.WIDTH_COLUMNS),
}


@pytest.mark.slow
def test_importance_is_drawn_from_the_design(tmp_path, monkeypatch):
    quick = partial(importance_by_density, draws=8, permutations=9, base=64)
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    few = design_points.DENSITIES[:3:2]
    monkeypatch.setattr(design_importance, "DENSITIES", few)
    study = design_study(tmp_path)
    found, note = design_importance.design_tables(study)
    assert note == ""
    drawn = drawings.drawings(study, found, NOTHING)
    assert {"importance", "surrogate"} <= {drawing.name for drawing in drawn}
    left_out = next(d for d in drawn if d.name == "surrogate").table
    # The line is noiseless but for the replicates, and every point comes once at each density.
    assert left_out.groupby("density").size().to_dict() == {few[1]: 16, few[0]: 16}
    assert (left_out["observed"] - left_out["predicted"]).abs().max() < 0.005
    assert left_out["inside"].mean() > 0.8
    table = next(d for d in drawn if d.name == "importance").table
    lr = table[table["factor"] == "train.lr"]
    assert lr["density"].tolist() == list(few)
    assert (lr["first"] > 0.9).all()
    assert (table.loc[table["factor"] == "inert", "total"] < 0.1).all()
    assert set(table["trajectories"]) == {20}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"factors": []}, "declares no factors"), ({"points": 8}, "8 points of the design")],
)
def test_a_design_without_importances_says_why(tmp_path, changes, expected):
    study = design_study(tmp_path, **changes)
    found, note = design_importance.design_tables(study)
    assert found is None
    assert expected in note
    drawn = drawings.drawings(study, found, NOTHING)
    assert "importance" not in {drawing.name for drawing in drawn}


def layer_rows(names, replicates=2):
    rows = []
    for replicate, level, (place, (layer, kind)) in itertools.product(
        range(replicates), range(3), enumerate(names.items())
    ):
        row = dict.fromkeys(records.LAYERS)
        row |= {"study": "s", "phase": "anchor", "trial": replicate, "replicate": replicate}
        row |= {"level": level, "layer": layer, "kind": kind, "size": 100 * (place + 1)}
        row |= {"surviving": 10 * (place + 1), "moved": 0.1 * (place + 1) + 0.01 * replicate}
        rows.append(row | {name: 1.0 for name in weight_figures.MEASURES if name != "moved"})
    return rows


@pytest.mark.parametrize("count", [3, 8])
def test_layers_have_curves_of_their_own_unless_they_are_many(tmp_path, count):
    names = {f"layer{i}": "conv" if i < count - 1 else "out" for i in range(count)}
    write_study(tmp_path)
    records.write(tmp_path / "layers.parquet", layer_rows(names), records.LAYERS)
    table = weight_figures.layer_table(load(tmp_path))
    moved = table[(table["measure"] == "moved") & (table["statistic"] == "mean")]
    assert sorted(set(moved["density"])) == pytest.approx([0.64, 0.8, 1.0])
    if count == 3:
        assert set(moved["curve"]) == set(names)
        return
    assert set(moved["curve"]) == {"conv", "out"}
    weights = [10 * (i + 1) for i in range(7)]
    oracle = sum(w * 0.1 * (i + 1) for i, w in enumerate(weights)) / sum(weights) + 0.005
    conv = moved[moved["curve"] == "conv"]["value"]
    assert conv.to_numpy() == pytest.approx([oracle] * 3)


def test_barriers_are_those_of_the_sibling(tmp_path):
    rows = anchor_rows()
    for replicate, level in itertools.product(range(3), range(5)):
        barrier = {"barrier_test_error": 0.01 * level + 0.001 * replicate}
        rows.append(network("anchor", replicate, replicate, "sibling", level, 0.9, **barrier))
    study = load(write_study(tmp_path, rows))
    table = weight_figures.connectivity(study, "").table
    assert set(table["curve"]) == {"test error"}
    means = table[table["statistic"] == "mean"]
    assert means["value"].to_numpy() == pytest.approx([0.01 * k + 0.001 for k in range(5)])
    assert weight_figures.connectivity(load(write_study(tmp_path / "b")), "") is None


VERDICTS = pd.DataFrame(
    [
        {"claim": "a", "verdict": "not tested", "reason": "<No> records.", "n": 0},
        {"claim": "b", "verdict": "supported", "estimate": 0.01, "unit": "share", "n": 5}
        | {"low": 0.005, "high": math.inf, "deviates": ["train.steps"]},
        {"claim": "c", "verdict": "contradicted", "estimate": 0.9, "unit": "ratio", "n": 5}
        | {"low": 0.8, "high": 1.0},
    ]
)


def test_tested_claims_come_first_with_a_glyph_of_their_own():
    section = verdict_section.verdict_section(VERDICTS)
    assert [row["id"] for row in section.rows] == ["b", "c", "a"]
    assert section.counts == [
        ("✔", "supported", 1),
        ("✘", "contradicted", 1),
        ("–", "not tested", 1),
    ]
    assert len(set(verdict_section.GLYPHS.values())) == len(verdict_section.GLYPHS)
    markers = {(v["marker"], v["markerfacecolor"]) for v in claim_figures.LOOKS.values()}
    assert len(markers) == 4


def test_a_claim_counts_once_at_the_scale_nearest_to_its_source():
    scales = [
        ("contradicted", "confirmatory", ["steps", "network"], 9),
        ("supported", "confirmatory", ["steps"], 5),
        ("not tested", "confirmatory", [], 0),
        ("inconclusive", "exploratory", [], 9),
    ]
    rows = [
        {"claim": "x", "verdict": verdict, "role": role, "deviates": deviates, "n": n}
        | {"p_adjusted": 1.0, "p_against_adjusted": 0.01}
        for verdict, role, deviates, n in scales
    ]
    section = verdict_section.verdict_section(pd.DataFrame(rows))
    assert section.counts == [("✔", "supported", 1)]
    (own,) = section.rows
    assert (own["verdict"], own["n"]) == ("supported", 5)
    assert [row["verdict"] for row in own["others"]] == [
        "contradicted",
        "not tested",
        "inconclusive",
    ]
    # The p that is shown is that of the verdict that is given.
    assert own["p_adjusted"] == 1.0
    assert own["others"][0]["p_adjusted"] == 0.01
    assert section.table["deviates"].tolist() == ["steps; network", "steps", "", ""]


def test_reasons_that_differ_in_numbers_and_names_are_one():
    reasons = [
        "The records lack 1 of 2 cells: sibling. Study: a. Cost: 1 h.",
        "It is of its own. Study: b. Cost: 2 h.",
        "The records lack 12 of 30 cells: rate 0.1. Study: c. Cost: 1 h.",
        "The records have no column 'x.fc1'. Study: d. Cost: 1 h.",
        *["Nothing there. Study: e. Cost: 1 h."] * 3,
        "The records have no column 'y'. Study: f. Cost: 1 h.",
    ]
    table = pd.DataFrame({"claim": list("abcdefgh"), "verdict": "not tested", "reason": reasons})
    section = verdict_section.verdict_section(table)
    found = {reason: [row["id"] for row in rows] for reason, rows in section.reasons}
    assert found == {
        "Nothing there.": ["e", "f", "g"],
        "The records lack N of N cells": ["a", "c"],
        "The records have no column …": ["d", "h"],
        verdict_section.ALONE: ["b"],
    }
    assert next(iter(found)) == "Nothing there."
    assert section.tested == []
    assert section.rows[0]["why"] == "The records lack 1 of 2 cells: sibling."
    assert section.rows[0]["rest"] == "Study: a. Cost: 1 h."


def test_the_forest_has_a_panel_for_each_unit_and_shares_as_points():
    drawing = verdict_section.verdict_section(VERDICTS).drawing
    assert [ax.get_xlabel() for ax in drawing.figure.axes] == ["percentage points", "ratio"]
    labels = [text.get_text() for text in drawing.figure.axes[0].get_yticklabels()]
    assert labels == ["b  ✔ supported, n = 5"]
    # The open end of a one-sided interval is the estimate.
    assert drawing.figure.axes[0].lines[0].get_xdata() == pytest.approx([0.5, 1.0])
    untested = VERDICTS[VERDICTS["verdict"] == "not tested"]
    assert verdict_section.verdict_section(untested).drawing is None


def test_labels_at_the_ends_of_curves_do_not_touch():
    table = lines.line_table(
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
