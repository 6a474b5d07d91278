"""The figures of layers and of barriers."""

import itertools

import pytest
from sample_study import anchor_rows, network, write_study

from analysis import load
from analysis.figures import weights as weight_figures
from lttune.records import schema


def layer_rows(names, replicates=2):
    rows = []
    for replicate, level, (place, (layer, kind)) in itertools.product(
        range(replicates), range(3), enumerate(names.items())
    ):
        row = dict.fromkeys(schema.LAYERS)
        row |= {"study": "s", "phase": "anchor", "trial": replicate, "replicate": replicate}
        row |= {"level": level, "layer": layer, "kind": kind, "size": 100 * (place + 1)}
        row |= {"surviving": 10 * (place + 1), "moved": 0.1 * (place + 1) + 0.01 * replicate}
        rows.append(row | {name: 1.0 for name in weight_figures.OF_LAYERS if name != "moved"})
    return rows


@pytest.mark.parametrize("count", [3, 8])
def test_layers_have_curves_of_their_own_unless_they_are_many(tmp_path, count):
    names = {f"layer{i}": "conv" if i < count - 1 else "out" for i in range(count)}
    write_study(tmp_path)
    schema.write(tmp_path / "layers.parquet", layer_rows(names), schema.LAYERS)
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
