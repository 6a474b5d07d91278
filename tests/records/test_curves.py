"""Learning curves are those of the cells, stay when the store is lost, and are whole or old."""

import itertools
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study
from forked import forked
from rich.console import Console

from lttune.__main__ import main
from lttune.errors import DamagedError, OtherStudyError
from lttune.exchange.studies.curves import complete_curves
from lttune.records import schema
from lttune.records.tables.curves import CURVES_FILE, curve_parts, gather_curves
from lttune.records.tables.curves import gathered as gathering
from lttune.store.remote import objects
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.records import record_reader
from lttune.store.store import Store
from lttune.study.console.curves import add_curves
from lttune.study.settings import StudyConfig

OF_EVALUATION = ("step", "val_loss", "val_accuracy", "test_loss", "test_accuracy")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "results"
    trials = ({}, {"train.eval_test": True, "train.lr": 0.003})
    return stored_study.make(out, trials=trials, controls=("reinit",), has_layers=True).parent


@pytest.fixture
def study(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results" / "digits"


def gather(study):
    return gather_curves(study, None, record_reader(str(study.parent / "cells")))


def rows(study, study_id=None):
    return [row for part in curve_parts(study / CURVES_FILE, study_id) for row in part.to_pylist()]


def expected(study):
    """Returns the rows that the cells' own histories are."""
    found = []
    for row in schema.read(study / "records.parquet"):
        cell = Store(study.parent / "cells").read(row["cell"])
        for entry in cell.record["history"]:
            of_network = {n: row[n] for n in schema.CURVE_MEASURES if n not in OF_EVALUATION}
            found.append({**of_network, **{name: entry.get(name) for name in OF_EVALUATION}})
    return sorted(found, key=lambda r: [r[n] for n in schema.ORDER if n in r])


def halve(study):
    """Leaves the records of the first trial alone; returns a function that puts all back."""
    path = study / "records.parquet"
    whole = schema.read(path)
    schema.write(path, [row for row in whole if row["trial"] == 0])
    return lambda: schema.write(path, whole)


def test_the_rows_are_the_histories_of_the_cells(study):
    found = gather(study)
    assert (found.added, found.lacking, found.aside) == (found.networks, 0, None)
    assert rows(study) == expected(study)
    assert {row["test_loss"] is None for row in rows(study) if row["trial"] == 1} == {False}
    assert {row["test_loss"] for row in rows(study) if row["trial"] == 0} == {None}
    best = {
        (r["trial"], r["replicate"], r["branch"], r["level"]): r["early_stop_step"]
        for r in schema.read(study / "records.parquet")
    }
    for key, step in best.items():
        mine = [r for r in rows(study) if tuple(r[n] for n in schema.ORDER[:4]) == key]
        assert min(mine, key=lambda r: r["val_loss"])["step"] == step


def test_nothing_new_leaves_the_file_as_it_is(study):
    gather(study)
    before = (study / CURVES_FILE).stat()
    assert gather(study).added == 0
    assert (study / CURVES_FILE).stat() == before


def test_pieces_give_what_one_run_gives_and_keep_what_the_store_has_lost(study):
    gather(study)
    alone = (study / CURVES_FILE).read_bytes()
    (study / CURVES_FILE).unlink()
    put_back = halve(study)
    gather(study)
    put_back()
    first = {row["cell"] for row in rows(study)}
    later = {row["cell"] for row in schema.read(study / "records.parquet")} - first
    assert first
    assert later
    for key in first:
        shutil.rmtree(study.parent / "cells" / key[:2] / key)
    found = gather(study)
    assert (found.added, found.lacking) == (len(later), 0)
    assert (study / CURVES_FILE).read_bytes() == alone
    shutil.rmtree(study.parent / "cells")
    assert gather(study).lacking == 0
    assert (study / CURVES_FILE).read_bytes() == alone


def test_groups_are_small_and_cut_alike(study, monkeypatch):
    monkeypatch.setattr(gathering, "MOST_GROUPED", 7)
    gather(study)
    assert rows(study) == expected(study)


def test_a_network_that_nobody_has_is_told(study):
    key = schema.read(study / "records.parquet")[0]["cell"]
    shutil.rmtree(study.parent / "cells" / key[:2] / key)
    assert gather(study).lacking == 1
    assert key not in {row["cell"] for row in rows(study)}


def test_a_network_that_was_trained_otherwise_since_has_no_others_curve(study):
    gather(study)
    path = study / "records.parquet"
    changed = [r | ({"cell": "0" * 64} if r["level"] == 2 else {}) for r in schema.read(path)]
    schema.write(path, changed)
    found = gather(study)
    assert found.lacking == sum(r["level"] == 2 for r in changed)
    assert {row["level"] for row in rows(study)} == {0, 1}


def test_no_bit_can_change_and_a_damaged_file_is_made_anew(study):
    gather(study)
    path = study / CURVES_FILE
    whole = path.read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 40):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(DamagedError, match=r"curves\.parquet is damaged"):
            rows(study)
    assert gather(study).aside == study / f"{CURVES_FILE}.damaged"
    assert path.read_bytes() == whole


def test_rows_out_of_order_or_of_another_study_are_refused(study):
    gather(study)
    path = study / CURVES_FILE
    found = rows(study)
    for wrong in (found[::-1], [*found, found[-1]]):
        pq.write_table(pa.Table.from_pylist(wrong), path)
        with pytest.raises(DamagedError, match="must have its rows in order, each once: trial "):
            rows(study)
    schema.write(path, found, schema.CURVE_MEASURES, study_id="mine")
    with pytest.raises(OtherStudyError):
        gather(study)


def test_histories_that_are_none_give_no_rows(study):
    sound = {"step": 0, "val_loss": 0.5, "val_accuracy": 0.5}
    wrong = [None, {}, {"history": 3}, {"history": ["x"]}]
    wrong += [{"history": [sound, sound]}, {"history": [sound | {"val_accuracy": 2}]}]
    wrong += [{"history": [sound | {"step": "1"}]}, {"history": [sound | {"val_loss": "low"}]}]
    for record in wrong:
        found = gather_curves(study, None, lambda key, record=record: record)
        assert (found.added, found.lacking) == (0, found.networks)
        assert not (study / CURVES_FILE).exists()


@pytest.mark.slow
@pytest.mark.parametrize("step", ["written", "flushed", "named"])
def test_a_kill_leaves_the_old_file_or_the_new_one(step, study):
    put_back = halve(study)
    gather(study)
    put_back()
    old = (study / CURVES_FILE).read_bytes()
    process = forked(_killed, study, f"{CURVES_FILE}.{step}:1:kill")
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = (study / CURVES_FILE).read_bytes()
    assert (left == old) is (step != "named")
    gather(study)
    assert rows(study) == expected(study)
    assert not [path for path in study.iterdir() if CURVES_FILE in path.name[:-4]]


def _killed(study: Path, fault: str) -> None:
    os.environ["LTTUNE_FAULT"] = fault
    gather(study)
    sys.exit(0)


def test_a_run_that_is_ended_does_not_wait_for_them(study, capsys):
    config, asked = StudyConfig(name="digits", out=study.parent), itertools.count()
    add_curves(config, {}, lambda: next(asked) > 2, Console(width=1000))
    told = f"{CURVES_FILE} has no new curves: the run was ended meanwhile; `lttune export"
    assert told in capsys.readouterr().out
    assert not (study / CURVES_FILE).exists()
    add_curves(config, {}, lambda: False, Console())
    assert len(rows(study)) == len(expected(study))


def test_the_command_adds_them_and_doctor_knows_them(study, capsys):
    def looked():
        main(["doctor", str(study)])
        printed = capsys.readouterr().out.splitlines()
        return [line for line in printed if line[8:].startswith(CURVES_FILE)]

    assert looked() == []  # An older study is whole without.
    assert main(["export", str(study), "--curves"]) == 0
    networks, count = len(schema.read(study / "records.parquet")), len(expected(study))
    told = f"{study / CURVES_FILE}: the curves of {networks} networks were added\n"
    assert capsys.readouterr().out == told
    assert looked() == [f"ok      {CURVES_FILE}: {count} entries of {networks} networks"]
    assert main(["export", str(study), "--csv"]) == 0
    assert f"curves.csv: {count} rows" in capsys.readouterr().out
    assert len((study / "csv" / "curves.csv").read_text().splitlines()) == 1 + count
    half = [row for row in rows(study) if row["trial"] == 0]
    schema.write(study / CURVES_FILE, half, schema.CURVE_MEASURES)
    (line,) = looked()
    assert line.startswith("warning ")
    assert f"it lacks those of {networks // 2} networks of the records: `lttune export" in line
    (study / CURVES_FILE).write_bytes(b"oh no")
    assert looked()[0].startswith(f"FAULT   {CURVES_FILE}: {study / CURVES_FILE} is damaged")
    with pytest.raises(SystemExit, match="2"):
        main(["export", str(study), "--curves", "--out", "x"])
    assert "--out must be left out with --curves" in capsys.readouterr().err


def test_many_curves_that_are_alike_are_read_again(study):
    history = [{"step": step, "val_loss": 1.0, "val_accuracy": 0.1} for step in range(20_000)]
    gather_curves(study, None, lambda key: {"history": history})
    count = len(schema.read(study / "records.parquet"))
    assert sum(map(len, curve_parts(study / CURVES_FILE, None))) == 20_000 * count


@pytest.mark.slow
def test_of_a_store_behind_a_url_no_weights_are_fetched(study, bucket):
    for cell in (study.parent / "cells").glob("??/*"):
        objects.put_cell(Bucket(bucket.url), cell.name, cell)
    for name in bucket.objects():
        if "tensors-" in name:
            bucket.remove(name)
    told = complete_curves(study, bucket.url)
    count = len(schema.read(study / "records.parquet"))
    assert told == [f"{study / CURVES_FILE}: the curves of {count} networks were added"]
    assert rows(study) == expected(study)
    assert not [path for path in bucket.cache.glob("*/*") if len(path.name) == 64]
