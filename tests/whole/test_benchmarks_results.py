"""What the benchmarks make of times: figures, tables, chart and errors."""

import io
import json
import platform
import shutil

import numpy as np
import pytest
from benchmark_results import NAMES, result
from rich.console import Console

from benchmarks import (
    chart,
    loops,
    machine,
    markdown,
    measurement,
    memory,
    table,
)
from lttune.errors import ResourceError
from lttune.store.plain_json import read_json, write_json


def test_figures_are_ratios_and_are_judged():
    found = result()
    assert found["trajectory_vs_eager"] == pytest.approx(6)
    assert found["dense_step_vs_eager"] == pytest.approx(0.4)
    assert found["step_at_0.036_vs_dense"] == pytest.approx((400 - 18 * 15) / 400)
    assert {key: bar["met"] for key, bar in found["bars"].items()} == {
        "trajectory_vs_eager": True,
        "trajectory_vs_dataloader": True,
        "dense_step_vs_eager": True,
        "step_at_0.036_vs_dense": False,
        "two_trials_speedup": True,
        "orchestration_overhead": False,
    }
    json.dumps(found, allow_nan=False)


def test_machine_tells_no_names():
    described = machine.describe()
    assert {"cpu", "cores", "threads", "torch", "numba", "load_average"} <= described.keys()
    text = json.dumps(described)
    assert "/" not in text.replace(str(described["cpu"]), "")
    assert platform.node() not in described.values()


def test_peak_memory_is_at_least_what_this_process_holds():
    held = np.ones(100_000_000, np.uint8)
    assert 100 < memory.peak_mb() < 100_000
    assert held[0] == 1


def test_memory_says_what_went_wrong(monkeypatch):
    monkeypatch.setattr(memory.sys, "executable", shutil.which("false"))
    with pytest.raises(ResourceError, match="memory of eager cannot be measured: no message"):
        memory.measure("eager")


def test_the_documents_tables_come_from_the_result():
    found = result()
    assert markdown.levels(found)[2] == "| 100 % | 500 | 2,500 | 1,009 | 28,000 |"
    assert "400 + 100 | 1,500 + 1,000 | 1,000 + 9 |" in markdown.details(found)[2]
    assert "| 6 | >= 5 | yes |" in markdown.bars(found)[2]
    assert "| 0.2 | <= 0.05 | **no** |" in markdown.bars(found)[-1]


def test_tables_show_times_ratios_and_bars():
    out = io.StringIO()
    table.show(result(), Console(file=out, width=160))
    text = out.getvalue()
    for piece in (
        "400 + 100",
        "1,500 + 1,000 (5.0)",
        "51.3%",
        "from its levels",
        "700 (500)",
        "step_at_0.036_vs_dense",
        "<= 0.1429",
        "20.0% on top, of it 15.0% inside trials and 5.0% between them, 22.0% beyond",
        "1.90 times the throughput of one",
        "worker of that study: 1,200 MB",
    ):
        assert piece in text
    assert "busy" not in text


def test_a_busy_machine_is_told():
    found = result()
    found["machine"]["load_average"] = 1.5
    assert any("The machine was busy" in sentence for sentence in table.sentences(found))


def test_chart_shows_every_loop_at_every_density(tmp_path):
    found = result()
    steps = chart.step_table(found)
    assert list(steps.columns) == ["loop", "density", "step_us", "step_with_evaluation_us"]
    assert len(steps) == len(NAMES) * len(measurement.SHOWN)
    svg = chart.write(chart.drawing(found), tmp_path)
    assert all(title in svg for title in loops.TITLES.values())
    assert all(chart.percent(level["density"]) in svg for level in found["levels"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speed.csv", "speed.svg"]


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["conv2", "resnet20"])
def test_convolutions_are_measured(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("numba")
    from benchmarks import convolutions

    monkeypatch.setitem(convolutions.DEPTHS, name, 2)
    write_json(tmp_path / "found.json", {"conv4_trajectory_vs_eager": 3.0})
    config = convolutions.ConvolutionsConfig(
        pictures="digits",
        networks=(name,),
        steps=1,
        evaluate=70,
        repetitions=1,
        out=tmp_path / "found.json",
    )
    convolutions.main(config)
    found = read_json(config.out)
    assert found["conv4_trajectory_vs_eager"] == 3
    assert min(found[f"{name}_trajectory_vs_eager"], found[f"{name}_last_level_vs_eager"]) > 0
    dense, sparse = found[f"{name}_levels"]
    assert dense["density"] == 1 > sparse["density"]
    assert sparse["ms"].keys() == {"sparse", "torch", "eager"}
    assert f"{name}_last_level_vs_eager" in capsys.readouterr().out
