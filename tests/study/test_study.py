"""A finished study on digits: real Ray, real Optuna, and what they leave on the disk."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from digits_place import Row
from digits_study import LOTTERY, SMOKE, SPACE, STUDY

from lttune.records.folder import read_answer
from lttune.records.schema import LAYERS, MEASURES, read
from lttune.store.plain_json import read_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_a_study_ends_complete_and_says_so(place):
    assert place.exit_code == 0
    assert "complete: 6 of 6 trials" in place.printed
    assert str(place.folder / "report.html") in place.printed.replace("\n", "")
    assert f"mlflow ui --backend-store-uri {place.uri}" in place.printed
    assert "not in MLflow" not in place.printed
    assert "Traceback" not in place.printed


def test_every_line_of_output_is_lttunes_own(place):
    known = (
        "engine: ",
        "[",
        "best trials",
        "┏",
        "┃",
        "┡",
        "│",
        "└",
        "complete:",
        "report:",
        "MLflow:",
    )
    said = read_answer(place.folder)
    assert len(said) < 7
    others = [line for line in place.printed.splitlines() if not line.startswith(known)]
    # What the search cannot reach; what the box at the top of the report says, and a line between.
    assert others[0].startswith("1 of 4 points and corners of what is varied end above density 0.5")
    assert others[1:] == [*said, ""]


def test_the_records_hold_a_row_for_every_network_and_no_more(place):
    found = {(r["trial"], r["replicate"], r["branch"], r["level"]) for r in place.rows()}
    anchors = {
        (trial, trial, branch, level)
        for trial in (0, 1)
        for branch in ("trunk", "reinit", "random")
        for level in (0, 1, 2)
        if branch == "trunk" or level > 0
    }
    assert {network for network in found if network[0] < 2} == anchors
    assert len(place.rows()) == len(found)


def test_the_layers_hold_a_row_for_every_layer_of_every_trunk(place):
    trunks = {(r["trial"], r["replicate"], r["level"]) for r in place.rows() if is_trunk(r)}
    found = read(place.folder / "layers.parquet")
    assert [(r["trial"], r["replicate"], r["level"], r["layer"]) for r in found] == [
        (*trunk, layer) for trunk in sorted(trunks) for layer in ("fc1", "fc2", "out")
    ]
    assert set(pq.read_schema(place.folder / "layers.parquet").names) == LAYERS.keys()
    surviving = {(r["trial"], r["level"]): r["surviving"] for r in place.rows() if is_trunk(r)}
    for (trial, level), count in surviving.items():
        mine = [r for r in found if (r["trial"], r["level"]) == (trial, level)]
        assert sum(r["surviving"] for r in mine) == count
        assert all(r["moved"] > 0 and r["study"] == "digits" for r in mine)


def is_trunk(row: Row) -> bool:
    return row["branch"] == "trunk"


def test_a_search_trial_ends_at_the_density_that_its_objective_ends_at(place):
    assert SMOKE.objective.density == 0.5
    ends = set()
    for trial in (2, 3, 4, 5):
        rows = [row for row in place.rows() if row["trial"] == trial]
        assert {(row["replicate"], row["branch"]) for row in rows} == {(0, "trunk")}
        assert [row["level"] for row in rows] == list(range(len(rows)))
        assert all(row["density"] > 0.5 for row in rows[:-1])
        assert rows[-1]["density"] <= 0.5 or len(rows) == 3
        ends.add(len(rows))
    assert ends == {2, 3}


def test_the_records_have_every_column_of_the_schema(place):
    schema = pq.read_schema(place.folder / "records.parquet")
    for name, (kind, _) in MEASURES.items():
        assert schema.field(name).type == kind
    wanted = MEASURES.keys() | LOTTERY.flat() | SPACE.keys() | {"density.fc1", "density.out"}
    assert wanted <= set(schema.names)
    for row in place.rows():
        # There are no siblings here, and no points of a design.
        missing = {name for name in MEASURES if row[name] is None}
        assert missing == {"barrier_test_error", "barrier_train_error", "role", "inert"}
        assert 0.3 < row["test_accuracy"] <= 1
        assert row["study"] == "digits"


def test_the_ledger_and_the_sheet_say_what_was_run(place):
    sheet = read_json(place.folder / "study.json")
    assert (sheet["name"], sheet["question"]) == ("digits", STUDY.question)
    trials = place.trials()
    assert [trial["phase"] for trial in trials] == ["anchor"] * 2 + ["search"] * 4
    assert place.states() == ["complete"] * 6
    assert all(trial["error"] is None and trial["seconds"] > 0 for trial in trials)
    for trial in trials[2:]:
        rows = [row for row in place.rows() if row["trial"] == trial["number"]]
        assert all(row[path] == value for row in rows for path, value in trial["hparams"].items())


def test_the_report_and_its_figures_are_there(place):
    assert "digits" in (place.folder / "report.html").read_text()
    figures = {path.suffix for path in (place.folder / "figures").iterdir()}
    assert ".svg" in figures
    assert ".csv" in figures
    assert (place.folder / "digits_study.py").read_bytes() == STUDY.file.read_bytes()


def test_no_more_trials_run_at_once_than_were_allowed(place):
    assert place.running == [1] * 6


def test_nothing_is_written_into_the_working_directory(place):
    assert list((place.root / "cwd").iterdir()) == []
    assert {path.name for path in place.root.iterdir()} == {"cwd", "out"}
    names = [path.name for path in place.database.parent.iterdir()]
    found = {name.removesuffix("-shm").removesuffix("-wal") for name in names}
    assert found == {"cells", "digits", "mlflow.db", "mlruns"}


def test_the_store_holds_every_network_once(place):
    assert place.cells().keys() == {row["cell"] for row in place.rows()}
    store = place.root / "out" / "cells"
    assert list((store / "drafts").iterdir()) == []
    assert not (store / "damaged").exists()


def test_trials_that_train_alike_share_their_dense_network(place):
    shared: dict[tuple[float, int], set[str]] = {}
    dense = [row for row in place.rows() if row["level"] == 0]
    for row in dense:
        shared.setdefault((row["train.lr"], row["replicate"]), set()).add(row["cell"])
    assert {len(cells) for cells in shared.values()} == {1}
    assert len(shared) < len(dense)
    assert len(set.union(*shared.values())) == len(shared)
    assert sum(row["reused"] for row in dense) == len(dense) - len(shared)
