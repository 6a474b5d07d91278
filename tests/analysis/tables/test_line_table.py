"""The line table: every network, the means of each level, and the interval that was asked for."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.bands import simultaneous_band
from analysis.tables.lines import INTERVALS, LINE, LINE_COLUMNS, line_table

VALUES = np.random.default_rng(3).normal(0.9, 0.01, size=(7, 4))
"""Seven replicates at four levels."""


def networks(values=VALUES, **columns):
    rows = [
        {"name": name, "replicate": r, "level": k, "density": 0.8**k, "diverged": (r, k) == (1, 2)}
        | {"y": shift + value}
        for name, shift in (("b", 0.0), ("a", 1.0))
        for r, curve in enumerate(values)
        for k, value in enumerate(curve)
    ]
    return pd.DataFrame(rows).assign(**columns)


def means(table, curve="b"):
    return table[(table["curve"] == curve) & (table["statistic"] == "mean")]


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_network_and_every_mean_has_a_row(interval):
    table = line_table(networks(), "y", "name", interval=interval)
    assert table.columns.tolist() == LINE_COLUMNS
    assert table["curve"].drop_duplicates().tolist() == ["b", "a"]  # As they come.
    single = table[(table["curve"] == "a") & (table["statistic"] == "replicate")]
    assert single["replicate"].tolist() == np.repeat(range(7), 4).tolist()
    np.testing.assert_array_equal(single["value"].to_numpy().reshape(7, 4), 1 + VALUES)
    assert means(table)["value"].to_numpy() == pytest.approx(VALUES.mean(0))
    assert means(table)["density"].to_numpy() == pytest.approx(0.8 ** np.arange(4))
    assert means(table)["n"].tolist() == [7] * 4
    assert single[["low", "high"]].isna().all(axis=None)


def test_pointwise_intervals_are_scipys():
    found = means(line_table(networks(), "y", "name", interval="pointwise"))
    oracle = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    assert found["low"].to_numpy() == pytest.approx(oracle.low)
    assert found["high"].to_numpy() == pytest.approx(oracle.high)


def test_simultaneous_ones_are_the_band_and_wider():
    table = means(line_table(networks(), "y", "name"))
    band = simultaneous_band(VALUES)
    assert table["low"].to_numpy() == pytest.approx(band.low)
    assert table["high"].to_numpy() == pytest.approx(band.high)
    alone = means(line_table(networks(), "y", "name", interval="pointwise"))
    assert (table["high"] > alone["high"]).all()
    assert (table["low"] < alone["low"]).all()


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_missing_network_is_missing_in_its_mean_alone(interval):
    rows = networks()
    rows = rows[(rows["replicate"] > 0) | (rows["level"] < 3)]
    found = means(line_table(rows, "y", "name", interval=interval))
    assert found["n"].tolist() == [7, 7, 7, 6]
    assert found["value"].iloc[-1] == pytest.approx(VALUES[1:, 3].mean())


@pytest.mark.parametrize("interval", INTERVALS)
def test_one_replicate_has_a_mean_without_an_interval(interval):
    found = means(line_table(networks(VALUES[:1]), "y", "name", interval=interval))
    assert found["value"].tolist() == VALUES[0].tolist()
    assert found[["low", "high"]].isna().all(axis=None)


def test_what_is_counted_is_a_sum_in_means_and_a_flag_in_networks():
    rows = networks(late=lambda n: n["level"] == 3)
    table = line_table(rows, "y", "name", counts=("late", "diverged"))
    assert table.columns.tolist() == [*LINE, "late", "diverged"]
    assert means(table)["late"].tolist() == [0, 0, 0, 7]
    assert means(table)["diverged"].tolist() == [0, 0, 1, 0]
    single = table[table["statistic"] == "replicate"]
    assert single["late"].tolist() == (single["level"] == 3).tolist()


def test_no_networks_are_a_table_without_rows():
    table = line_table(networks().iloc[:0], "y", "name")
    assert table.empty
    assert table.columns.tolist() == LINE_COLUMNS


def test_a_replicate_that_two_trials_have_trained_is_two_networks():
    twice = pd.concat([networks(VALUES[:1]).assign(trial=trial) for trial in (0, 1)])
    found = means(line_table(twice, "y", "name", interval="pointwise"))
    assert set(found["n"]) == {2}
    alone = means(line_table(networks(VALUES[:1]), "y", "name", interval="pointwise"))
    assert found["value"].tolist() == alone["value"].tolist()
