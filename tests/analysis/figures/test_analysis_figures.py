"""The figures of curves and of the search, as they are drawn from their tables."""

import numpy as np
import pandas as pd
import pytest
from sample_study import LEVELS, anchor_rows, ended_rows, search_trials, trial, write_study

from analysis import load
from analysis.figures import anchor as figures
from analysis.figures import axes
from analysis.figures.search import search as search_figures
from analysis.tables.curves import curve_table


@pytest.fixture
def study(tmp_path):
    return load(write_study(tmp_path / "sample"))


def test_figures_draw_their_tables(tmp_path):
    drawing = figures.accuracy(load(write_study(tmp_path)), "")
    table = drawing.table
    lines = {line.get_label(): line for line in drawing.figure.axes[0].lines}
    for branch in ("trunk", "reinit", "random"):
        mean = table[(table["branch"] == branch) & (table["statistic"] == "mean")]
        line = lines[f"{figures.LABELS[branch]} (n = 3)"]
        np.testing.assert_allclose(line.get_xdata(), 100 * mean["density"])
        np.testing.assert_allclose(line.get_ydata(), 100 * mean["value"])
    dense = table[(table["level"] == 0) & (table["statistic"] == "mean")]["value"].item()
    assert lines["dense (mean, n = 3)"].get_ydata()[0] == pytest.approx(100 * dense)
    thin = [line for line in drawing.figure.axes[0].lines if line.get_linewidth() == 0.7]
    assert len(thin) == 9


def bands(ax):
    """Returns the lower and the upper edge of each drawn interval, by density in percent."""
    edges = []
    for band in ax.collections:
        found = {}
        for x, y in band.get_paths()[0].vertices:
            found.setdefault(round(float(x), 9), []).append(float(y))
        edges.append({x: (min(ys), max(ys)) for x, ys in found.items()})
    return edges


def test_bands_are_the_intervals_of_the_table(study):
    for drawing, factor in ((figures.accuracy(study, ""), 100), (figures.early_stop(study, ""), 1)):
        means = drawing.table.query("statistic == 'mean'")
        drawn = bands(drawing.figure.axes[0])
        assert len(drawn) == 3
        for branch, edges in zip(("trunk", "reinit", "random"), drawn, strict=True):
            rows = means[means["branch"] == branch].to_dict("records")
            assert len(edges) == len(rows)
            for row in rows:
                low, high = edges[round(100 * row["density"], 9)]
                assert low == pytest.approx(factor * row["low"])
                assert high == pytest.approx(factor * row["high"])
                assert low < high


@pytest.mark.parametrize("draw", [figures.accuracy, figures.early_stop])
def test_density_falls_from_left_to_right(study, draw):
    for ax in draw(study, "").figure.axes:
        left, right = ax.get_xlim()
        assert left > 100
        assert 0 < right < 100 * 0.8**LEVELS
        assert ax.get_xscale() == "log"


def legend(drawing):
    return drawing.figure.axes[0].get_legend_handles_labels()[1]


def test_censored_steps_are_counted(tmp_path):
    rows = anchor_rows()
    censored = {("trunk", 0, 0), ("trunk", 3, 1), ("trunk", 3, 2), ("reinit", 2, 0)}
    for row in rows:
        key = (row["branch"], row["level"], row["replicate"])
        row |= {"early_stop_at_end": key in censored}
    study = load(write_study(tmp_path, rows))
    table = curve_table(study.records, "early_stop_step")
    counts = table[table["censored"] > 0].set_index(["statistic", "curve", "level"])["censored"]
    assert counts["mean"].to_dict() == {("trunk", 0): 1, ("trunk", 3): 2, ("reinit", 2): 1}
    assert counts["replicate"].tolist() == [1] * 4
    assert legend(figures.early_stop(study, "")) == [
        "dense (mean, n = 3)",
        "ticket (n = 3, 3 in the last tenth)",
        "reinitialised ticket (n = 3, 1 in the last tenth)",
        "random mask (n = 3)",
    ]
    assert not any("last step" in label for label in legend(figures.accuracy(study, "")))


def test_figures_say_how_many_replicates_ended_by_divergence(tmp_path, study):
    ended = load(write_study(tmp_path / "ended", ended_rows()))
    for draw in (figures.accuracy, figures.early_stop):
        drawing = draw(ended, "")
        note = drawing.figure.axes[0].get_title(loc="left")
        assert "1 of 3 replicates ended by divergence (×): means to the right leave it out" in note
        assert "ticket (n = 2 to 3, 1 diverged ×)" in legend(drawing)
        assert "reinitialised ticket (n = 2 to 3)" in legend(drawing)
        assert "ended" not in draw(study, "").figure.axes[0].get_title(loc="left")


def test_anchor_is_the_base_configuration_in_the_search(tmp_path):
    trials = [*(trial(number) for number in range(3)), *search_trials(4)]
    drawing = search_figures.search(load(write_study(tmp_path, trials=trials)), "")
    assert "base configuration (n = 3)" in legend(drawing)


def curve(*values, half=0.0):
    rows = [{"curve": "trunk", "level": i, "value": v} for i, v in enumerate(values)]
    ends = {"low": [v - half for v in values], "high": [v + half for v in values]}
    return pd.DataFrame(rows).assign(statistic="mean", **ends)


def test_accuracy_axis_is_cut_only_if_that_resolves_more():
    far = axes.main_frame(curve(0.98, 0.981, 0.982, 0.979, 0.6))
    assert far.cuts_curves
    assert 0.978 < far.low < 0.98 < 0.982 < far.high < 0.99
    for values in [(0.98, 0.97, 0.96, 0.95, 0.94), (0.98,), (0.5, 0.5)]:
        frame = axes.main_frame(curve(*values))
        assert not frame.cuts_curves
        assert frame.low < min(values) <= max(values) < frame.high


def test_a_wide_interval_does_not_flatten_the_curves():
    narrow, wide = (axes.whole_frame(curve(0.9, 1.0, half=half)) for half in (0.01, 5.0))
    assert not narrow.cuts_bands
    assert narrow.low < 0.89
    assert wide.cuts_bands
    assert wide.high - wide.low < 0.3


def test_trials_far_below_the_rest_do_not_flatten_the_search():
    assert axes.floor(pd.Series([0.95, 0.96, 0.97, 0.94, 0.1])) == pytest.approx(0.9355)
    assert axes.floor(pd.Series([0.95, 0.96, 0.97, 0.94, 0.93])) is None
    assert axes.floor(pd.Series([0.95, 0.1])) is None


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (["train.batch_size", "train.lr"], ("train.lr", "train.batch_size")),
        (["prune.scope", "prune.fraction"], ("prune.fraction", None)),
        (["prune.fraction", "levels"], ("prune.fraction", "levels")),
        (["prune.scope"], (None, None)),
    ],
)
def test_search_figure_picks_its_factors(space, expected):
    table = pd.DataFrame({name: ["layer" if name == "prune.scope" else 1.0] for name in space})
    assert search_figures.main_factors(table, {name: {} for name in space}) == expected


def test_two_replicates_have_their_t_interval_in_the_first_figure(tmp_path):
    rows = [row for row in anchor_rows() if row["replicate"] < 2]
    drawing = figures.accuracy(load(write_study(tmp_path, rows)), "")
    assert [len(edges) for edges in bands(drawing.figure.axes[0])] == [LEVELS + 1, LEVELS, LEVELS]


def test_a_dense_network_alone_is_no_curve(tmp_path):
    rows = [row for row in anchor_rows() if row["level"] == 0]
    drawing = figures.accuracy(load(write_study(tmp_path, rows)), "")
    assert legend(drawing) == ["dense (mean, n = 3)"]


def test_steps_that_are_all_equal_have_an_axis_of_whole_evaluations(tmp_path):
    rows = anchor_rows()
    for row in rows:
        row["early_stop_step"] = 80
    lottery = {"levels": LEVELS, "train": {"steps": 100, "eval_every": 10}}
    study = load(write_study(tmp_path, rows, lottery=lottery))
    (ax,) = figures.early_stop(study, "").figure.axes
    low, high = ax.get_ylim()
    assert low <= 70
    assert high >= 90
    assert all(tick == round(tick) for tick in ax.get_yticks())
    for row in rows:
        row["early_stop_step"] = 1
    (ax,) = figures.early_stop(load(write_study(tmp_path / "first", rows)), "").figure.axes
    low, high = ax.get_ylim()
    assert low <= 0
    assert high >= 2
    assert all(tick == round(tick) for tick in ax.get_yticks())
