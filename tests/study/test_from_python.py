"""Studies that Python runs, and trajectories that have a study's bytes."""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import digits_study
import pandas as pd
import pytest
import tyro
from digits_place import TIMES, empty_database
from digits_study import LOTTERY, SMOKE, STUDY, report
from one_process import one_process
from patience import wait_for
from sealed_cells import sealed_cells

from analysis import load
from lttune import run, trajectory
from lttune.config.output import steps
from lttune.errors import ConfigError, LttuneError, RefusedError, StorageError
from lttune.store.plain_json import read_json
from lttune.study import StudyConfig, conductor
from lttune.study.called import _flags
from lttune.study.console.outcome import Outcome

MINE = LOTTERY.override({"train.steps": 60})
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OF_A_STUDY = ["study", "phase", "role", "inert"]


def handlers():
    return [signal.getsignal(one) for one in SIGNALS]


def run_here(root, **settings):
    """Runs the study's anchor without Ray."""
    if not (root / "mlflow.db").exists():
        (root / "mlflow.db").write_bytes(empty_database())
    given = {"phases": ("anchor",), "replicates": 1, "lottery": {"train.steps": 60}}
    given |= {"out": str(root / "out"), "tracking_uri": f"sqlite:///{root}/mlflow.db"}
    with one_process(), contextlib.redirect_stdout(io.StringIO()):
        return run(STUDY, report, scale="smoke", **given | settings)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root, before = tmp_path_factory.mktemp("place"), handlers()
    found = run_here(root)
    assert handlers() == before
    return found


def test_a_study_is_run_to_its_end_and_its_records_are_a_frame(done):
    assert (done.complete, done.exit_code, done.not_tracked) == (True, 0, "")
    assert done.report.exists()
    frame = done.frame()
    assert len(frame) == 1 + 2 * 3
    pd.testing.assert_frame_equal(
        frame.sort_values(["branch", "level"], ignore_index=True),
        load(done.folder).records.sort_values(["branch", "level"], ignore_index=True),
    )


def test_its_command_is_the_one_that_would_run_it(done):
    words = shlex.split(read_json(done.folder / "study.json")["command"])
    assert words[0] == "python"
    assert Path(words[1]).samefile(digits_study.__file__), "as it is found from here"
    read = tyro.cli(StudyConfig, default=SMOKE, args=words[2:])
    assert read.lottery == MINE
    assert (read.phases, read.replicates) == (("anchor",), 1)


def test_the_flags_of_any_setting_are_read_back():
    lottery = LOTTERY.override(
        {
            "train.eval_test": True,
            "train.milestones": (10, 20),
            "train.lr": 0.5,
            "model.name": "lenet-4",
            "data.permute_labels": True,
            "prune.fractions.out": 0.3,
        }
    )
    made = replace(SMOKE, lottery=lottery, asha=True, controls=(), max_concurrent=3, engine="torch")
    made = replace(made, objective=replace(made.objective, density=0.4))
    assert tyro.cli(StudyConfig, default=SMOKE, args=_flags(SMOKE, made)) == made
    assert tyro.cli(StudyConfig, default=made, args=_flags(made, SMOKE)) == SMOKE


def test_no_flags_take_a_layers_fraction_away():
    prune = replace(LOTTERY.prune, fractions={})
    made = replace(SMOKE, lottery=replace(LOTTERY, prune=prune))
    assert _flags(SMOKE, made) == []
    assert _flags(SMOKE, SMOKE) == ["--scale", "smoke"]


def test_a_study_that_no_flags_can_say_has_no_command(tmp_path):
    lottery = replace(MINE, prune=replace(MINE.prune, fractions={}))
    found = run_here(tmp_path, lottery=lottery, controls=())
    assert read_json(found.folder / "study.json")["command"] == ""


def test_it_says_what_it_does_while_it_loads(tmp_path, monkeypatch, capsys):
    def slow(*given, **named):
        wait_for(lambda: said.append(capsys.readouterr().out) or "".join(said))
        return Outcome(exit_code=0, report=tmp_path, tracking="", not_tracked="")

    said: list[str] = []
    monkeypatch.setattr(steps, "FIRST_STEP_S", 0.0)
    monkeypatch.setattr(conductor, "run_study", slow)
    run(STUDY, report, scale="smoke", out=tmp_path / "out")
    assert "".join(said) == "digits: loading PyTorch, Ray and MLflow\n"


def test_a_trajectory_has_the_rows_of_a_studys_trial(done):
    found = trajectory(MINE, controls=("reinit", "random"))
    studys = load(done.folder).records
    mine = found.frame().sort_values(["branch", "level"], ignore_index=True)
    assert list(mine.columns) == list(studys.columns)
    dropped = [*OF_A_STUDY, *TIMES]
    pd.testing.assert_frame_equal(
        mine.drop(columns=dropped),
        studys.sort_values(["branch", "level"], ignore_index=True).drop(columns=dropped),
    )
    layers = load(done.folder).layers
    assert list(found.layers().columns) == list(layers.columns)
    pd.testing.assert_frame_equal(
        found.layers().drop(columns=["study", "phase"]), layers.drop(columns=["study", "phase"])
    )


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_trajectory_keeps_the_cells_of_a_study_byte_for_byte(done, tmp_path, engine):
    folder = done.folder.parent / "cells"
    if engine == "torch":
        folder = run_here(tmp_path, engine="torch").folder.parent / "cells"
    found = trajectory(MINE, controls=("reinit", "random"), store=tmp_path / "cells", engine=engine)
    assert not any(one.row["reused"] for level in found for one in level.networks)
    mine, theirs = sealed_cells(tmp_path / "cells"), sealed_cells(folder)
    assert len(mine) == 7
    assert mine.keys() == theirs.keys()
    for key, cell in mine.items():
        for name in ("record.json", "tensors.safetensors"):
            if (cell / name).exists() or (theirs[key] / name).exists():
                assert (cell / name).read_bytes() == (theirs[key] / name).read_bytes()


def test_a_trajectory_takes_what_a_study_has_trained(done, tmp_path):
    store = shutil.copytree(done.folder.parent / "cells", tmp_path / "cells")
    before = sealed_cells(store).keys()
    found = trajectory(MINE.override({"levels": 3}), store=str(store))
    assert [level.row["reused"] for level in found] == [True, True, True, False]
    assert len(sealed_cells(store).keys() - before) == 1


def test_a_study_may_be_declared_in_a_notebook(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    study = replace(STUDY, file=None)
    with one_process(), contextlib.redirect_stdout(io.StringIO()):
        made = run(
            study,
            report,
            out=tmp_path / "out",
            name="of-a-cell",
            phases=("anchor",),
            replicates=1,
            controls=(),
            lottery=MINE,
            tracking_uri=f"sqlite:///{tmp_path}/mlflow.db",
        )
    assert made.complete
    assert len(made.frame()) == 3
    assert read_json(made.folder / "study.json")["command"] == ""
    assert not list(made.folder.glob("*.py"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"scale": "large"}, "scale must be one of paper, smoke; got 'large'"),
        ({"replicate": 1}, "setting must be one of address, .*; did you mean 'replicates'"),
        ({"replicates": 0}, "replicates must be a whole number >= 1, got 0"),
        ({"lottery": {"train.rl": 1}}, "hyperparameter must be one of .*; got 'train.rl'"),
        ({"lottery": 3}, "lottery must be a LotteryConfig, or dotted paths and values, got 3"),
    ],
)
def test_a_mistake_is_an_exception_of_one_line(tmp_path, settings, told, capsys):
    with pytest.raises(ConfigError, match=f"^{told}") as raised:
        run(STUDY, report, out=tmp_path / "out", **{"scale": "smoke", **settings})
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_continued_is_an_exception(done):
    root, before = done.folder.parents[1], handlers()
    with pytest.raises(RefusedError):
        run_here(root, lottery={"train.steps": 50})
    assert handlers() == before
    assert issubclass(RefusedError, LttuneError)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left"), StorageError)],
)
def test_an_interruption_and_a_full_disk_leave_all_tidy(tmp_path, monkeypatch, error, raised):
    def run_trials(*args, **kwargs):
        raise error

    before = handlers()
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    settings = {"out": tmp_path / "out", "tracking_uri": f"sqlite:///{tmp_path}/mlflow.db"}
    said = contextlib.redirect_stdout(io.StringIO())
    # Undone in the order in which they are within each other.
    with one_process(), said, monkeypatch.context() as patch:
        patch.setattr(conductor, "run_trials", run_trials)
        with pytest.raises(raised):
            run(STUDY, report, scale="smoke", **settings)
    assert handlers() == before
    assert run_here(tmp_path, name="after").complete


@pytest.mark.slow
def test_ray_leaves_no_handler_behind(tmp_path, ray_address):
    before = handlers()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mlflow.db").write_bytes(empty_database())
    with contextlib.redirect_stdout(io.StringIO()):
        found = run(
            STUDY,
            report,
            scale="smoke",
            phases=("anchor",),
            replicates=1,
            address=ray_address,
            out=tmp_path / "out",
            tracking_uri=f"sqlite:///{tmp_path}/out/mlflow.db",
        )
    assert found.complete
    assert handlers() == before
