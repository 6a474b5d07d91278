"""A finished study as MLflow holds it, on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from digits_place import empty_database
from digits_study import LOTTERY, SPACE

from lttune.__main__ import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_mlflow_holds_the_study_and_its_trials(place):
    runs = place.runs()
    parent, trials = runs.pop(None), place.trials()
    assert place.statuses() == dict.fromkeys([None, *range(6)], "FINISHED")
    assert parent.info.run_name == "digits"
    assert parent.data.params["train.lr"] == "0.01"
    assert parent.inputs.dataset_inputs[0].dataset.name == "digits"
    assert "mlflow.parentRunId" not in parent.data.tags
    for number, run in runs.items():
        trial = trials[number]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["lttune.phase"] == trial["phase"]
        assert run.info.run_name.startswith(f"{number:03d} {trial['phase']} ")
        row = next(row for row in place.rows() if row["trial"] == number)
        for path in {**LOTTERY.flat(), **trial["hparams"]}:
            assert run.data.params[path] == str(row[path])


def test_mlflow_holds_every_level_at_its_step(place):
    runs, rows = place.runs(), place.rows()
    measures = ("density", "test_accuracy", "val_accuracy", "early_stop_step", "train_time_s")
    for number in range(6):
        for branch in ("trunk", "reinit", "random"):
            mine = [r for r in rows if r["trial"] == number and r["branch"] == branch]
            prefix = "" if branch == "trunk" else f"{branch}."
            for measure in measures if branch == "trunk" else measures[1:4]:
                expected = sorted((row["level"], row[measure]) for row in mine)
                assert place.series(runs[number], f"{prefix}{measure}") == expected


def test_mlflow_holds_a_summary_of_every_trial(place):
    runs = place.runs()
    for trial in place.trials():
        metrics = runs[trial["number"]].data.metrics
        assert metrics["accuracy_auc"] == trial["objective"]
        assert 0 < metrics["ticket_density"] <= 1
    junk = {name for run in runs.values() for name in run.data.metrics if name.startswith("config")}
    assert junk == set()


def test_factors_sort_as_numbers_in_mlflow(place):
    client = place.client()
    experiment = client.get_experiment_by_name("digits")
    factor = "train.batch_size" if "train.batch_size" in SPACE else next(iter(SPACE))
    runs = client.search_runs(
        [experiment.experiment_id],
        "tags.`lttune.kind` = 'trial'",
        order_by=[f"metrics.`{factor}` ASC"],
    )
    values = [run.data.metrics[factor] for run in runs]
    assert len(set(values)) > 1
    assert values == sorted(values)
    rows = {row["trial"]: row[factor] for row in place.rows()}
    assert sorted(values) == sorted(map(float, rows.values()))


def test_mlflow_holds_the_studys_files(place):
    parent = place.runs()[None].info.run_id
    files = {file.path for file in place.client().list_artifacts(parent)}
    wanted = {"report.html", "records.parquet", "study.json", "digits_study.py", "figures"}
    assert wanted <= files
    figures = {file.path for file in place.client().list_artifacts(parent, "figures")}
    assert {path.name for path in (place.folder / "figures").iterdir()} == {
        Path(path).name for path in figures
    }


def test_what_is_sent_later_is_what_a_study_sends_as_it_runs(place, tmp_path, capsys):
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    later = place.copy(tmp_path)
    assert main(["sync", str(later.folder), "--tracking-uri", later.uri]) == 0
    mine, theirs = later.runs(), place.runs()
    assert later.statuses() == place.statuses()
    for number, run in theirs.items():
        assert mine[number].data.params == run.data.params
        assert mine[number].data.metrics == run.data.metrics
        assert mine[number].info.run_name == run.info.run_name
        own = {"mlflow.parentRunId"}
        tags, expected = ({**r.data.tags} for r in (mine[number], run))
        assert {k: tags[k] for k in tags.keys() - own} == {
            k: expected[k] for k in expected.keys() - own
        }
        for metric in run.data.metrics:
            assert later.series(mine[number], metric) == place.series(run, metric)
    client, (one, other) = later.client(), (mine[None].info.run_id, theirs[None].info.run_id)
    files = {file.path for file in client.list_artifacts(one)}
    assert files == {file.path for file in place.client().list_artifacts(other)}
    (used,), (wanted,) = (run[None].inputs.dataset_inputs for run in (mine, theirs))
    assert vars(used.dataset) == vars(wanted.dataset)
