"""The arithmetic of the benchmarks; nothing here depends on how fast the machine is."""

import io
import json
import platform

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks import baselines, machine, measurement, orchestration, table
from lttune import records
from lttune.data.dataset import Dataset
from lttune.errors import DataError
from lttune.files import write_json

SECONDS = {
    "lttune": {"without_evaluation": [0.3, 0.1, 0.2], "with_evaluation": [0.4, 0.4, 9.0]},
    "plain": {"without_evaluation": [0.4, 0.4, 0.4], "with_evaluation": [0.5, 0.5, 0.5]},
    "dataloader": {"without_evaluation": [2.0, 2.0, 2.0], "with_evaluation": [4.0, 4.0, 4.0]},
}


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    return Dataset(
        name="noise",
        train_x=rng.integers(0, 256, (200, 4, 5), dtype=np.uint8),
        train_y=rng.integers(0, 10, 200),
        test_x=rng.integers(0, 256, (10, 4, 5), dtype=np.uint8),
        test_y=rng.integers(0, 10, 10),
        classes=10,
        scale=255.0,
        mean=0.1307,
        std=0.3081,
        validation=50,
        source="drawn here",
    )


def test_ratio_is_our_median_over_theirs():
    result = measurement.summary(SECONDS, steps=1000)
    assert result["median_us_per_step"]["lttune"]["without_evaluation"] == pytest.approx(200)
    assert result["level_vs_plain"]["without_evaluation"] == pytest.approx(0.5)
    assert result["level_vs_plain"]["with_evaluation"] == pytest.approx(0.8)
    assert result["level_vs_dataloader"]["without_evaluation"] == pytest.approx(0.1)
    assert result["level_vs_dataloader"]["with_evaluation"] == pytest.approx(0.1)
    assert "lttune / median time of plain" in result["level_vs_plain"]["meaning"]
    assert result["repetitions_us_per_step"]["lttune"]["with_evaluation"][2] == pytest.approx(9000)


def test_repetitions_are_interleaved_and_the_first_loop_changes():
    calls = []

    def loop(name):
        return lambda steps, eval_every: calls.append((name, steps, eval_every)) or 1.0

    loops = {name: loop(name) for name in "abc"}
    seconds = measurement.measure(loops, steps=50, eval_every=10, repetitions=3)
    assert [name for name, *_ in calls] == [*"abc", *"abcabc", *"bcabca", *"cabcab"]
    assert [call[1:] for call in calls[:3]] == [(10, 10)] * 3
    assert [call[1:] for call in calls[3:9]] == [(50, None)] * 3 + [(50, 10)] * 3
    assert seconds["b"] == {"without_evaluation": [1.0] * 3, "with_evaluation": [1.0] * 3}


def test_both_baselines_see_the_same_pictures(dataset):
    flat = baselines.resident(dataset, dataset.train_x)
    pictures = baselines.Pictures(dataset.train_x, dataset.train_y, dataset.mean, dataset.std)
    assert len(pictures) == 200
    for index in (0, 7):
        picture, target = pictures[index]
        torch.testing.assert_close(picture.flatten(), flat[index])
        assert target == dataset.train_y[index]


@pytest.mark.parametrize("make", [baselines.plain, baselines.dataloader])
@pytest.mark.parametrize(("eval_every", "evaluations"), [(None, 0), (2, 3)])
def test_a_baseline_takes_the_steps_it_is_asked_for(
    make, eval_every, evaluations, dataset, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        baselines, "evaluate", lambda model, batches: seen.append(sum(len(y) for _, y in batches))
    )
    steps = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda self, *args: steps.append(1) or step(self, *args)
    )
    assert make(dataset)(7, eval_every) > 0  # Three batches make an epoch here.
    assert len(steps) == 7
    assert seen == [50] * evaluations


def test_evaluate_is_a_mean_over_examples():
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    batches = [(logits[:2], torch.tensor([0, 1])), (logits[2:], torch.tensor([0]))]
    loss, accuracy = baselines.evaluate(torch.nn.Identity(), batches)
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0])))
    assert accuracy == pytest.approx(2 / 3)


def test_machine_tells_no_names():
    described = machine.describe()
    assert {"cpu", "cores", "threads", "torch"} <= described.keys()
    text = json.dumps(described)
    assert "/" not in text.replace(str(described["cpu"]), "")
    assert platform.node() not in described.values()


def study(folder, rows, *, wall_s=60.0, cores=2):
    columns = {"trial": 0, "replicate": 0, "branch": "trunk"}
    records.write(
        folder / "records.parquet",
        [
            {
                **columns,
                "level": level,
                "cell": cell,
                "train_time_s": train_time_s,
                "reused": reused,
            }
            for level, (cell, train_time_s, reused) in enumerate(rows)
        ],
    )
    write_json(folder / "trials.json", {"wall_s": wall_s, "trials": []})
    write_json(folder / "study.json", {"machine": {"cores": cores}})
    return folder


def test_share_counts_each_trained_network_once(tmp_path):
    rows = [("a", 70.0, False), ("a", 70.0, True), ("a", 70.0, False), ("b", 30.0, False)]
    rows.append(("old", 1e6, True))
    found = orchestration.share(study(tmp_path, rows))
    assert found["train_time_s"] == 100.0
    assert found["networks"] == 2
    assert found["overhead"] == pytest.approx(60.0 * 2 / 100.0 - 1)


@pytest.mark.parametrize("rows", [[], [("a", 5.0, True)]])
def test_share_needs_a_study_that_trained(rows, tmp_path):
    with pytest.raises(DataError, match="trained no network"):
        orchestration.share(study(tmp_path, rows))


@pytest.mark.parametrize("name", ["trials.json", "study.json"])
def test_share_needs_a_finished_study(name, tmp_path):
    folder = study(tmp_path, [("a", 5.0, False)])
    write_json(folder / name, {})
    with pytest.raises(DataError, match="not the folder of a finished study"):
        orchestration.share(folder)
    (folder / name).unlink()
    with pytest.raises(DataError, match="not the folder of a finished study"):
        orchestration.share(folder)


def test_table_shows_times_and_ratios(tmp_path):
    result = measurement.summary(SECONDS, steps=1000)
    assert table.rows(result)[:2] == [
        ("lttune", "200.0", "", "400.0", ""),
        ("plain", "400.0", "0.500", "500.0", "0.800"),
    ]
    result["settings"] = {
        "network": "LeNet-300-100",
        "dataset": "MNIST",
        "eval_every": 100,
        "repetitions": 3,
        "steps": 1000,
    }
    result["machine"] = machine.describe()
    result["orchestration"] = orchestration.share(study(tmp_path, [("a", 100.0, False)]))
    out = io.StringIO()
    table.show(result, Console(file=out, width=120))
    assert "0.500" in out.getvalue()
    assert "20.0% on top of training" in out.getvalue()
