"""Controls that were trained around a few densities only: nothing is drawn or read in between."""

import digits_study
import numpy as np
import pytest
import stored_study
from matplotlib.figure import Figure
from sample_study import anchor_rows, write_study
from test_report import words_of

from analysis import load
from analysis.figures import lines
from analysis.figures.anchor import BY_ACCURACY, draw_curves
from analysis.report import write as report
from analysis.report.answer import answer
from analysis.tables.curves import curve_table, difference_table
from analysis.tables.lines import line_table
from analysis.tables.responses import response_table, trajectory_table

HELD = (2, 3, 7)
"""Levels at which the control is there: a pair, and one alone."""


def rows_with_gaps(branches=("trunk", "reinit"), held=HELD):
    return [
        row
        for row in anchor_rows(levels=8, branches=branches)
        if row["branch"] == "trunk" or row["level"] in held
    ]


@pytest.fixture
def gapped(tmp_path):
    return load(write_study(tmp_path, rows_with_gaps()))


def test_no_line_crosses_levels_without_a_control(gapped):
    table = line_table(gapped.records, "test_accuracy", "branch")
    mean = table[(table["curve"] == "reinit") & (table["statistic"] == "mean")]
    line = lines.broken(mean)
    assert np.isnan(line["value"]).tolist() == [False, False, True, False]
    whole = lines.broken(table[(table["curve"] == "trunk") & (table["statistic"] == "mean")])
    assert whole["value"].notna().sum() == len(whole) == 9
    ax = Figure().subplots()
    lines.draw_lines(ax, table, lines.looks(["reinit"]))
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata())]
    assert len(drawn) == 3 + 1  # Three replicates and their mean.
    assert all(np.isnan(values).sum() == 1 for values in drawn)


def test_the_first_figure_breaks_there_too(gapped):
    ax = Figure().subplots()
    draw_curves(ax, curve_table(gapped.records, "test_accuracy"), BY_ACCURACY)
    drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert np.isnan(drawn["reinitialised ticket (n = 3)"]).tolist() == [False, False, True, False]
    assert not np.isnan(drawn["ticket (n = 3)"]).any()


def test_no_response_is_read_between_levels_without_a_control(gapped):
    grid = tuple(0.8**k for k in (1, 2, 2.5, 3, 4, 5, 7))
    table = response_table(gapped.records, grid=grid)
    control = table[(table["branch"] == "reinit") & (table["replicate"] == 0)]
    expected = ["not reached", "", "", "", "not trained", "not trained", ""]
    assert control["missing"].tolist() == expected
    assert control["accuracy"].isna().tolist() == [bool(reason) for reason in expected]
    assert table[table["branch"] == "trunk"]["missing"].eq("").all()
    control = table[table["branch"] == "reinit"]
    assert (control["gain"].isna() == control["missing"].ne("")).all()
    left_out = control["missing"].eq("not trained").groupby(control["density"]).sum()
    assert left_out.tolist() == [0, 3, 3, 0, 0, 0, 0]  # Densities rise.
    # A mean over densities that were not trained would be a guess.
    whole = trajectory_table(table, floor=grid[-1]).set_index("branch")["gain_auc"]
    assert whole["reinit"].isna().all()
    assert whole["trunk"].notna().all()


def test_a_level_that_removes_nothing_is_no_gap(tmp_path):
    rows = [row for row in rows_with_gaps(held=range(9)) if row["replicate"] == 0]
    for row in rows:
        if row["level"] >= 4:
            row["density"] = 0.8 ** (row["level"] - 1)
    table = response_table(load(write_study(tmp_path, rows)).records, grid=(0.8**3.5,))
    assert table["missing"].eq("").all()


def test_the_answer_names_the_level_at_which_there_is_a_control(gapped):
    said = " ".join(answer(gapped))
    # Level 7 is nearest to 21.1 % and has one.
    assert "(level 7, the nearest it was trained at)" not in said
    assert "Ticket minus reinitialised ticket, paired by replicate: +" in said


def test_the_answer_goes_to_the_nearest_control(tmp_path):
    study = load(write_study(tmp_path, rows_with_gaps(held=(2, 3))))
    table = difference_table(study.records, "test_accuracy").query("versus == 'reinit'")
    assert table["level"].tolist() == [2, 3]
    said = " ".join(answer(study))
    at = "reinitialised ticket at 51.2 % (level 3, the nearest it was trained at), paired"
    assert at in said
    assert f"{100 * table['mean'].iloc[1]:+.2f} percentage points" in said


@pytest.mark.usefixtures("undrawn")
def test_a_table_of_many_controls_shows_the_levels_that_have_them(tmp_path):
    names = ("shuffle", "permute", "freeze", "one_shot", "keep_sign")
    rows = rows_with_gaps()
    for name in names:
        rows += [row | {"branch": name} for row in rows_with_gaps() if row["branch"] == "reinit"]
    said = words_of(report.write(write_study(tmp_path, rows)).read_text())
    table = said.partition("Difference at")[2].partition("A panel for each")[0]
    assert table.lstrip().startswith("51.2 %21.0 % ticket − dense")
    assert "–" not in table


@pytest.mark.slow
def test_a_trained_study_with_gaps_has_its_report(tmp_path):
    lottery = digits_study.LOTTERY.override({"levels": 6, "train.steps": 20, "target.lr": 0.02})
    controls = ("reinit", "random", "sibling", "shuffle", "transfer", "transfer_random")
    folder = stored_study.make(
        tmp_path,
        lottery=lottery,
        replicates=(0, 1),
        controls=controls,
        control_densities=(0.9, 0.1),
    )
    study = load(folder)
    found = study.records.groupby("branch")["level"].unique().map(sorted)
    assert found["trunk"] == list(range(7))
    assert found["reinit"] == found["shuffle"]
    assert np.diff(found["reinit"]).max() > 1
    said = words_of(report.write(folder).read_text())
    assert "On the target" in said
    assert "at the levels around a few densities only; between those their curves break" in said
    names = {path.stem for path in (folder / "figures").glob("*.svg")}
    assert {"accuracy", "early_stop", "controls", "transfer", "connectivity"} <= names
