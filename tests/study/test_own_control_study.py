"""Studies with a control of one's own: what is trained, called, refused, taken, read again."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import sqlite3
import zlib
from pathlib import Path

import pytest
import torch
from digits_study import SMOKE, STUDY, report
from other_study import OTHER, damage, settings, stored
from own_parts import assert_refused, run_parts

from lttune.__main__ import main as lttune
from lttune.config.design import Point
from lttune.data import load
from lttune.errors import ConfigError
from lttune.exchange.tickets import Place, find_network
from lttune.records.schema import read
from lttune.store.sealed import read_object, write_object
from lttune.study.checks.taken import taken_settings
from lttune.study.conductor import run_study
from lttune.study.phases.room import stored_room

HOME = Path("results/parts")
OWN, BRANCH = "./mine.py:other_units", "mine.other_units"


def test_each_unit_has_the_weights_of_another(parts_home):
    """Counted here by what the function says in words: rows of masks change places."""
    with contextlib.chdir(parts_home):
        for level in (1, 2):
            ticket = find_network(Place(study=HOME, level=level)).mask
            found = find_network(Place(study=HOME, level=level, branch=BRANCH))
            for name, keep in found.mask.items():
                rows, others = (sorted(one.int().tolist()) for one in (keep, ticket[name]))
                assert rows == others
                assert not torch.equal(keep, ticket[name])
                assert (found.weights("trained")[0][name][~keep] == 0).all()
    rows = {
        (row["replicate"], row["level"], row["branch"]): row
        for row in read(parts_home / HOME / "records.parquet")
    }
    assert {branch for *_, branch in rows} == {"trunk", "reinit", "random", BRANCH}
    for (replicate, level, branch), row in rows.items():
        if branch == BRANCH:
            assert row["surviving"] == rows[replicate, level, "trunk"]["surviving"]
            assert row["steps_trained"] == 60
            assert row["barrier_test_error"] is None


def test_report_and_mlflow_show_it(parts_home):
    folder = parts_home / HOME
    assert "ticket − mine.other_units" in (folder / "report.html").read_text()
    assert f"{BRANCH} (n = 2)" in (folder / "figures/controls.svg").read_text()
    assert BRANCH in (folder / "figures/controls.csv").read_text()
    with contextlib.closing(sqlite3.connect(parts_home / "mlflow.db")) as database:
        metrics = {key for (key,) in database.execute("SELECT key FROM latest_metrics")}
        values = database.execute("SELECT key, value FROM experiment_tags").fetchall()
        params = {value for (value,) in database.execute("SELECT value FROM params")}
    assert f"{BRANCH}.test_accuracy" in metrics
    state = json.loads(dict(values)["mlflow.sharedViewState.lttune-controls"])["state"]
    view = zlib.decompress(base64.b64decode(state.removeprefix("deflate;"))).decode()
    assert f"{BRANCH}.test_accuracy" in view
    assert str(["reinit", "random", OWN]) in params


def test_a_changed_control_alone_keeps_the_tickets_and_the_others(parts_copy):
    text = (parts_copy / "mine.py").read_text()
    (parts_copy / "other.py").write_text(text.replace("at.rewound", "at.initial"))
    flags = ("--name", "one", "--replicates", "1")
    flags += ("--controls", "reinit", "random", "other.py:other_units")
    assert run_parts(parts_copy, *flags)[0] == 0
    rows = read(parts_copy / "results/one/records.parquet")
    assert {row["branch"] for row in rows if not row["reused"]} == {"other.other_units"}
    assert {row["branch"] for row in rows if row["reused"]} == {"trunk", "reinit", "random"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def control(at): return 3", 'must return a mapping with "mask", "start" or both, got 3'),
        (
            "def control(at): return {'mask': {n: k | True for n, k in at.mask.items()}}",
            "must leave as many weights as the ticket has, ",
        ),
        (
            "import random\n"
            "def control(at): return {'start': {n: v * random.random() for n, v in "
            "at.initial.items()}}",
            "must give the same whenever it is asked with equal draws",
        ),
        ("other = 3", "cannot be imported: bad.py has no function 'control'"),
    ],
)
def test_one_that_does_not_fit_is_one_line_before_anything_starts(parts_copy, source, told):
    assert_refused(parts_copy, "--controls", "control", source, told)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--controls ./mine.py:part a/mine.py:part",
            "controls must be another than './mine.py:part', which records call 'mine.part' too, "
            "got 'a/mine.py:part'",
        ),
        (
            f"--controls ./{'m' * 96}.py:part",
            "controls must be of a file and a function with at most 100 characters together, got",
        ),
        ("--controls ./mine.py:part ./mine.py:part", "controls must be each once, got ("),
        ("--controls mine.py", "controls must be one of ./FILE.py:FUNCTION, finetune, flip_0.05, "),
    ],
)
def test_names_that_records_cannot_tell_apart_are_refused(refused, flags, told):
    code, text = refused(*flags.split())
    assert code == 2
    assert told in text
    assert text.count("\n") == 1


def test_controls_of_points_are_read_tried_and_told_apart(cwd):
    (cwd / "mine.py").write_text("def part(at):\n    return 3\n")
    (cwd / "a").mkdir()
    (cwd / "a/mine.py").write_text("def part(at):\n    return {'mask': at.mask}\n")
    point = Point(
        hparams={}, replicates=(0,), role="sweep", label="p", controls=("./mine.py:part",)
    )
    study = dataclasses.replace(STUDY, points={"smoke": {"sweep": [point]}})
    config = dataclasses.replace(SMOKE, phases=("sweep",))
    with pytest.raises(ConfigError, match=r"^controls: \./mine\.py:part must return a mapping"):
        run_study(config, study, report)
    config = dataclasses.replace(config, controls=("a/mine.py:part",))
    with pytest.raises(ConfigError, match=r"records call 'mine\.part' too, got '\./mine\.py:part'"):
        run_study(config, study, report)
    assert not (cwd / "results").exists()


def test_controls_that_are_code_of_another_study_are_not_run(refused, cwd):
    marker = cwd / "ran"
    (cwd / "mine.py").write_text(f"open({str(marker)!r}, 'w')\n\ndef part(at):\n    0\n")
    folder = stored(OTHER)
    damage(folder, "config.controls", ["reinit", "./mine.py:part", "random"])
    code, text = refused("--from", str(folder))
    assert code == 2
    assert "its controls ./mine.py:part is code, which no command takes from the folder" in text
    assert "give --controls" in text
    assert text.count("\n") == 1
    found = settings("--from", str(folder), "--controls", "reinit", "./b.py:mine")
    assert found.controls == ("reinit", "./b.py:mine")
    # One that the new study names itself is its own.
    ours = dataclasses.replace(SMOKE, controls=("./mine.py:part",))
    assert taken_settings(folder, ours).config.controls == ("reinit", "./mine.py:part", "random")
    assert not marker.exists()


def test_the_room_for_its_weights_is_asked_for():
    sizes = {}
    for controls in ((), ("reinit",), (OWN,), ("sibling",)):
        config = dataclasses.replace(SMOKE, controls=controls, phases=("anchor",))
        sizes[controls] = stored_room(config, STUDY, {"digits": load("digits")})
    none, plain, own, sibling = sizes.values()
    assert own.files == plain.files
    # Two replicates of two levels of 1,620 parameters: survivors in float32, and a bit for each.
    assert own.size - plain.size > 2 * 2 * 1620 / 8
    # The sibling leaves the dense network too.
    assert sibling.size - none.size > own.size - none.size


def test_a_repair_of_a_control_that_nobody_knows_is_one_line(parts_copy, capsys):
    for controls, told in (
        (["reinitt"], "trials[0]: controls must be one of ./FILE.py:FUNCTION, finetune, "),
        (["./none.py:part"], "controls: ./none.py:part must be made known by lttune.models.own"),
    ):
        listing = read_object(HOME / "trials.json")
        for trial in listing["trials"]:
            trial["controls"] = controls
        write_object(HOME / "trials.json", listing)
        (HOME / "records.parquet").unlink(missing_ok=True)
        assert lttune(["doctor", str(HOME), "--repair"]) != 0
        said = capsys.readouterr()
        assert told in said.out + said.err
        assert "Traceback" not in said.err


def test_a_repair_leaves_what_the_store_lost_until_the_study_is_run(parts_copy, capsys):
    rows = read(HOME / "records.parquet")
    (lost,) = (r for r in rows if (r["branch"], r["level"], r["trial"]) == (BRANCH, 2, 1))
    cell = next(Path("results/cells").glob(f"??/*{lost['cell'][2:]}*"))
    (cell / "seal.json").unlink()
    (HOME / "records.parquet").unlink()
    assert lttune(["doctor", str(HOME), "--repair"]) != 0
    said = capsys.readouterr()
    assert "run the study again" in said.out + said.err
    assert {row["trial"] for row in read(HOME / "records.parquet")} == {0}
    assert run_parts(parts_copy)[0] == 0
    names = rows[0].keys() - {"reused", "trained", "host", "train_time_s", "eval_time_s"}
    found = read(HOME / "records.parquet")
    assert [[r[n] for n in names] for r in found] == [[r[n] for n in names] for r in rows]
