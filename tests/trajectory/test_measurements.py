"""The weights of a ticket, layer by layer, against SciPy, pandas and plain loops."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.data import load
from lttune.models import build, masks
from lttune.records import schema
from lttune.store.cells import Cell
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.measurements.of_layers import of_level
from lttune.trajectory.task import Ticket, weights_of
from lttune.trajectory.trial import run_trial

DIGITS = load("digits")
CONFIG = LotteryConfig(
    levels=2,
    rewind_step=10,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(lr=0.02, batch_size=50, steps=60, eval_every=20, eval_train=0),
    prune=PruneConfig(fraction=0.6, fractions={"out": 0.3}),
)
ADDED_BY_THE_DRIVER = {"study", "phase", "trial"}


@pytest.fixture(scope="module")
def levels(tmp_path_factory):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path_factory.mktemp("store")))
    return [found[0] for found in trajectories(CONFIG, [0], lab)]


def cases(levels):
    dense = weights_of(levels[0].stored.cell, levels[0].junction.network)
    for level in levels:
        end = weights_of(level.stored.cell, level.junction.network)
        for row in of_level(level):
            name = f"{row['layer']}.weight"
            values = [level.junction.initial, level.ticket.start, end, dense]
            arrays = [weights[name].numpy().astype(np.float64) for weights in values]
            yield level.level, row, level.ticket.mask[name].numpy(), *arrays


def test_there_is_a_row_for_each_layer_with_every_column(levels):
    found = [row for level in levels for row in of_level(level)]
    assert [(row["level"], row["layer"], row["kind"]) for row in found] == [
        (level, layer, kind)
        for level in range(3)
        for layer, kind in (("fc1", "fc"), ("fc2", "fc"), ("out", "out"))
    ]
    for row in found:
        assert row.keys() | ADDED_BY_THE_DRIVER == schema.LAYERS.keys()


def test_initial_magnitudes_are_those_of_the_survivors(levels):
    for _, row, keep, initial, *_ in cases(levels):
        size = pd.Series(np.abs(initial[keep]))
        assert (row["size"], row["surviving"]) == (keep.size, len(size))
        assert row["initial_mean"] == pytest.approx(size.mean())
        assert row["initial_std"] == pytest.approx(size.std(ddof=0))
        for q in (5, 25, 50, 75, 95):
            assert row[f"initial_q{q:02d}"] == pytest.approx(size.quantile(q / 100), rel=1e-5)
        assert row["initial_positive"] == pytest.approx(sum(initial[keep] > 0) / len(size))


def test_bimodality_is_sarles_coefficient(levels):
    for _, row, keep, initial, *_ in cases(levels):
        skewness = stats.skew(initial[keep])
        kurtosis = stats.kurtosis(initial[keep], fisher=False)
        assert row["initial_bimodality"] == pytest.approx((skewness**2 + 1) / kurtosis, rel=1e-5)


def test_movement_is_from_the_start_of_the_level_to_its_end(levels):
    for _, row, keep, _, start, end, _ in cases(levels):
        moved = np.abs(end - start)[keep].mean()
        assert row["moved"] == pytest.approx(moved, rel=1e-5)
        assert row["moved_relative"] == pytest.approx(moved / np.abs(start[keep]).mean(), rel=1e-5)
        changed = sum(a * b < 0 for a, b in zip(start[keep], end[keep], strict=True))
        assert row["sign_changes"] == pytest.approx(changed / keep.sum())
    assert 0 < max(row["sign_changes"] for _, row, *_ in cases(levels)) < 0.9


def test_the_dense_training_is_told_apart_by_the_levels_mask(levels):
    for level, row, keep, initial, _, _, dense in cases(levels):
        moved, grown = np.abs(dense - initial), np.abs(dense) > np.abs(initial)
        assert row["dense_moved_kept"] == pytest.approx(moved[keep].mean(), rel=1e-5)
        assert row["dense_grown_kept"] == pytest.approx(grown[keep].mean())
        if level == 0:
            assert row["dense_moved_pruned"] is row["dense_grown_pruned"] is None
        else:
            assert row["dense_moved_pruned"] == pytest.approx(moved[~keep].mean(), rel=1e-5)
            assert row["dense_grown_pruned"] == pytest.approx(grown[~keep].mean())


def test_connections_are_counted_for_each_unit(levels):
    for _, row, keep, *_ in cases(levels):
        for name, counts in (
            ("incoming", [sum(unit) for unit in keep]),
            ("outgoing", [sum(unit) for unit in keep.T]),
        ):
            assert row[f"{name}_mean"] == pytest.approx(np.mean(counts))
            assert row[f"{name}_std"] == pytest.approx(np.std(counts))
            assert row[f"{name}_max"] == max(counts)
            assert row[f"{name}_none"] == counts.count(0)
    assert any(row["outgoing_none"] for _, row, *_ in cases(levels))


def test_a_convolutions_field_counts_for_its_channels(levels):
    network = build(ModelConfig(name="conv-2"), (3, 8, 8), 10)
    at, weights = levels[0].junction, network.initial_weights(np.random.default_rng(0))
    mask = masks.ones(weights, network.prunable)
    mask["conv1.weight"][:] = False
    mask["conv1.weight"][5, 1, :, 0] = True
    mask["conv1.weight"][6, 1, 0, 0] = True
    evidence = dataclasses.replace(at.evidence, network=network, initial=weights)
    tensors = {f"weights/{n}": v for n, v in weights.items()}
    stored = dataclasses.replace(
        levels[0].stored, cell=Cell(record={"measures": {"diverged": False}}, tensors=tensors)
    )
    level = dataclasses.replace(
        levels[0],
        junction=dataclasses.replace(at, evidence=evidence, dense=weights),
        ticket=Ticket(mask=mask, start=weights),
        stored=stored,
    )
    row = of_level(level)[0]
    assert (row["incoming_max"], row["incoming_none"]) == (3, 62)
    assert (row["outgoing_max"], row["outgoing_none"]) == (4, 2)
    assert row["moved"] == row["sign_changes"] == 0.0


def test_a_layer_without_survivors_has_counts_and_no_means(levels):
    mask = {n: keep.clone() for n, keep in levels[1].ticket.mask.items()}
    mask["fc2.weight"][:] = False
    ticket = Ticket(mask=mask, start=masks.apply(levels[1].ticket.start, mask))
    row = of_level(dataclasses.replace(levels[1], ticket=ticket))[1]
    assert (row["surviving"], row["incoming_max"], row["incoming_none"]) == (0, 0, 10)
    names = ("initial_mean", "initial_q50", "initial_positive", "moved", "dense_moved_kept")
    assert all(row[name] is None for name in names)
    assert row["dense_moved_pruned"] > 0


def test_what_a_diverged_training_moved_is_unknown(levels):
    cell = dataclasses.replace(levels[1].stored.cell, record={"measures": {"diverged": True}})
    level = dataclasses.replace(levels[1], stored=dataclasses.replace(levels[1].stored, cell=cell))
    for row in of_level(level):
        assert row["moved"] is row["moved_relative"] is row["sign_changes"] is None
        assert row["dense_moved_kept"] > 0


def test_a_report_carries_the_trunks_layers_the_same_every_time(tmp_path):
    lab = Lab({"digits": DIGITS}, TorchEngine(), Store(tmp_path))
    first, second = (list(run_trial(CONFIG, [1, 0], ("reinit",), lab)) for _ in range(2))
    assert [r["layers"] for r in first] == [r["layers"] for r in second]
    for report in first:
        keys = [(row["replicate"], row["level"], row["layer"]) for row in report["layers"]]
        level = report["level"]
        assert keys == [(r, level, layer) for r in (1, 0) for layer in ("fc1", "fc2", "out")]


def test_layers_come_back_from_their_table_sorted(tmp_path, levels):
    whose = {"study": "s", "phase": "anchor", "trial": 0}
    rows = [{**whose, **row} for level in levels for row in of_level(level)]
    schema.write(tmp_path / "layers.parquet", rows[::-1], schema.LAYERS)
    assert schema.read(tmp_path / "layers.parquet") == [
        {name: row[name] for name in schema.LAYERS} for row in rows
    ]
