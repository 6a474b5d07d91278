"""``lttune sync``: MLflow gets what it lacks of a study, once, and the study stays as it is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from answering import free_port, silent
from control_sequences import SEQUENCE, WRITTEN_OUT, control_characters
from filelock import FileLock
from synced import counted, state
from tracked import TrackedRuns

from lttune.records import schema
from lttune.records.folder import read_sheet, read_table, read_trials
from lttune.store.sealed import read_object, write_object
from lttune.study.mirrored import TrackedStudy
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

NAMES = ("000 anchor base configuration", "001 anchor lr=0.003")
LEVELS = [0, 1, 2]


def statuses(store: TrackedRuns) -> dict[str, str]:
    return {name: run.info.status for name, run in store.runs("digits").items()}


def change(path: Path, **fields: object) -> None:
    write_object(path, read_object(path) | fields)


def test_a_name_sets_no_title_of_a_terminal(study, uri, sync):
    change(study / "study.json", name=SEQUENCE)
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 0
    assert text.endswith(f": all 2 trials of the study {WRITTEN_OUT}\n")
    assert control_characters(text) == set()


def test_all_of_a_study_is_sent_and_nothing_of_it_twice(study, uri, sync):
    (study / "figures" / ".DS_Store").write_bytes(b"left by macOS")
    before = state(study)
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 0
    assert text == f"{uri} (experiment 1): all 2 trials of the study digits\n"
    store = TrackedRuns(uri)
    runs = store.runs("digits")
    assert store.artifacts(runs["digits"], "figures") == {"figures/curve.svg"}
    assert statuses(store) == dict.fromkeys(["digits", *NAMES], "FINISHED")
    kept = store.artifacts(runs["digits"])
    assert {"study.json", "report.html", "records.parquet", "figures"} <= kept
    assert runs["digits"].inputs.dataset_inputs[0].dataset.name == "digits"
    rows = read_table(study / "records.parquet").to_pylist()
    for number, name in enumerate(NAMES):
        for branch, key in (("trunk", "test_accuracy"), ("reinit", "reinit.test_accuracy")):
            found = store.client.get_metric_history(runs[name].info.run_id, key)
            mine = [row for row in rows if (row["trial"], row["branch"]) == (number, branch)]
            expected = sorted((row["level"], row["test_accuracy"]) for row in mine)
            assert sorted((point.step, point.value) for point in found) == expected
        assert "accuracy_auc" in runs[name].data.metrics
    assert runs[NAMES[1]].data.params["train.lr"] == "0.003"
    points = {run.data.tags.get("lttune.point") for run in runs.values()}
    assert points == {None, "base configuration", "lr=0.003"}

    numbers, ends = counted(uri), {name: run.info.end_time for name, run in runs.items()}
    assert sync(study, "--tracking-uri", uri) == (0, text)
    assert counted(uri) == numbers
    assert {name: run.info.end_time for name, run in store.runs("digits").items()} == ends
    assert state(study) == before


def test_what_a_driver_sent_before_it_was_killed_is_completed(study, uri, sync):
    sheet, trials = read_sheet(study), read_trials(study)
    rows = read_table(study / "records.parquet").to_pylist()
    trials[0].state = "running"
    tracker = Tracker(uri, "digits", sheet.get("study_id"))
    mirrored = TrackedStudy(study, sheet, trials[:1], lambda _: [], tracker)
    mirrored.open(is_running=True)
    mirrored.show(trials[0])
    mirrored.level(trials[0], 0, [r for r in rows if (r["trial"], r["level"]) == (0, 0)])
    assert tracker.close(60) == ""
    store = TrackedRuns(uri)
    assert statuses(store) == dict.fromkeys(["digits", NAMES[0]], "RUNNING")

    assert sync(study, "--tracking-uri", uri)[0] == 0
    assert statuses(store) == dict.fromkeys(["digits", *NAMES], "FINISHED")
    for name in NAMES:
        assert store.steps(store.runs("digits")[name], "density") == LEVELS


def test_a_run_that_somebody_deleted_is_sent_again(study, uri, sync):
    assert sync(study, "--tracking-uri", uri)[0] == 0
    store = TrackedRuns(uri)
    run = store.runs("digits")[NAMES[0]]
    store.client.delete_run(run.info.run_id)
    assert sync(study, "--tracking-uri", uri)[0] == 0
    again = store.runs("digits")[NAMES[0]]
    assert again.info.run_id != run.info.run_id
    assert store.steps(again, "density") == LEVELS
    assert again.data.metrics == run.data.metrics


def test_trials_that_did_not_end_well_are_what_they_are(study, uri, sync):
    listed = json.loads((study / "trials.json").read_text())
    failed, waiting = ({**listed["trials"][1], "number": n} for n in (1, 2))
    failed |= {"state": "failed", "error": "ValueError: no", "values": None, "objective": None}
    waiting |= {"state": "waiting", "values": None, "objective": None}
    trials = [listed["trials"][0], failed, waiting]
    change(study / "trials.json", trials=trials, planned={"anchor": 3})
    assert sync(study, "--tracking-uri", uri)[0] == 0
    found = statuses(TrackedRuns(uri))
    assert found == {"digits": "FAILED", NAMES[0]: "FINISHED", NAMES[1]: "FAILED"}


def test_a_study_of_an_older_version_is_read_with_its_dataset(study, uri, sync):
    sheet = json.loads((study / "study.json").read_text())
    dataset = {k: v for k, v in sheet["dataset"].items() if k not in ("shape", "classes")}
    change(study / "study.json", dataset=dataset)
    assert sync(study, "--tracking-uri", uri)[0] == 0
    assert "accuracy_auc" in TrackedRuns(uri).runs("digits")[NAMES[0]].data.metrics

    change(study / "study.json", dataset=dataset | {"digest": "0" * 64})
    code, text = sync(study, "--tracking-uri", uri)
    assert (code, text) == (
        4,
        f"lttune: error: digits here is not the dataset of the study {study}\n",
    )


def test_only_files_of_the_study_are_sent(study, uri, sync, tmp_path):
    (tmp_path / "private").write_text("mine")
    (study / "figures" / "link.svg").symlink_to(tmp_path / "private")
    (study / "report.html").unlink()
    (study / "report.html").symlink_to(tmp_path / "private")
    assert sync(study, "--tracking-uri", uri)[0] == 0
    store = TrackedRuns(uri)
    run = store.runs("digits")["digits"]
    assert "report.html" not in store.artifacts(run)
    assert store.artifacts(run, "figures") == {"figures/curve.svg"}


def test_a_server_that_is_away_is_one_line(study, sync):
    began = time.monotonic()
    code, text = sync(study, "--tracking-uri", f"http://hunter2@127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 4
    assert code == 5
    assert text.startswith("lttune: error: MLflow cannot be used at http://***@127.0.0.1:")
    assert text.count("\n") == 1
    with silent() as port:
        code, text = sync(study, "--tracking-uri", f"http://127.0.0.1:{port}")
    assert code == 5
    assert text.endswith("the server gave no answer in 3 s\n")


@pytest.mark.parametrize("uri", ["./mlruns", "http://", "http://localhost:notaport"])
def test_a_malformed_uri_is_refused(study, sync, monkeypatch, uri):
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 2
    assert text.startswith("lttune: error: tracking_uri must be ")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    code, text = sync(study)
    assert code == 2
    assert text.startswith("lttune: error: MLFLOW_TRACKING_URI must be ")


def test_a_folder_says_nothing_of_where_it_is_sent_to(study, sync, cwd):
    with silent() as port:
        config = json.loads((study / "study.json").read_text())["config"]
        there = f"http://127.0.0.1:{port}"
        change(study / "study.json", config=config | {"tracking_uri": there})
        code, text = sync(study)
    assert (code, text) == (
        2,
        f"lttune: error: --tracking-uri must be given: the study was run with '{there}'\n",
    )
    assert list(cwd.iterdir()) == []


def test_a_study_that_runs_is_left_to_its_driver(study, uri, sync):
    with FileLock(study / "lock"):
        code, text = sync(study, "--tracking-uri", uri)
    line = f"lttune: error: another driver is running the study {study}\n"
    assert (code, text) == (75, line)
    assert sync(study, "--tracking-uri", uri)[0] == 0


@pytest.mark.parametrize(
    ("change_of", "message"),
    [
        ({"objective": None}, "study.json"),
        ({"objective": {"speed": 3}}, "study.json cannot be read: "),
        ({"dataset": 3}, "study.json lacks dataset.name"),
        ({"lottery": {"train": {"lr": "x"}}}, "study.json"),
        ({"code": {}}, "study.json lacks code.version"),
        ({"space": 3}, "study.json: space must be "),
    ],
)
def test_a_sheet_that_cannot_be_read_is_one_line(study, uri, sync, change_of, message):
    if "objective" in change_of:
        config = json.loads((study / "study.json").read_text())["config"]
        change_of = {"config": config | change_of}
    change(study / "study.json", **change_of)
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 74
    assert message in text
    assert text.count("\n") == 1


def test_records_that_cannot_be_sent_are_one_line(study, uri, sync, monkeypatch):
    monkeypatch.setattr("lttune.study.mirrored.level_metrics", lambda rows: float("none"))
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 5
    assert "entries are missing in MLflow" in text
    assert text.count("\n") == 1


def test_what_is_no_study_is_named(sync, tmp_path):
    code, text = sync(tmp_path)
    line = f"lttune: error: {tmp_path} is no study: it has no study.json\n"
    assert (code, text) == (74, line)


@pytest.mark.parametrize("name", ["trials.json", "records.parquet"])
def test_parts_of_another_study_are_not_sent(study, uri, sync, name):
    study_id = read_object(study / "study.json").get("study_id") or "a" * 64
    change(study / "study.json", study_id=study_id)
    if name == "trials.json":
        change(study / name, study_id="b" * 64)
    else:
        change(study / "trials.json", study_id=study_id)
        schema.write(study / name, schema.read(study / name), study_id="b" * 64)
    code, text = sync(study, "--tracking-uri", uri)
    assert (code, f"{study / name} is of another study than the study.json" in text) == (74, True)
    assert counted(uri)["runs"] == 0
