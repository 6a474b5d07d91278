"""What a user sees who asks for what cannot be: one message, an exit code, and nothing done."""

from __future__ import annotations

from pathlib import Path

import digits_study
import pytest
import torch
from filelock import FileLock

from lttune.data import mnist
from lttune.errors import DataError, ResourceError
from lttune.store.sealed import read_object, write_object
from lttune.study import conductor
from lttune.study.main import main
from lttune.study.settings import StudyConfig
from lttune.study.workers import cluster


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    def start_ray(config):
        raise AssertionError("Ray was started")

    monkeypatch.setattr(conductor, "start_ray", start_ray)


def one_line(text: str) -> str:
    """Returns the message without its head, after a look at its form."""
    assert text.startswith("lttune: error: ")
    return text.removeprefix("lttune: error: ").strip()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--lottery.train.lr -1", "train.lr must be a finite number > 0, got -1.0"),
        ("--lottery.train.lr nan", "train.lr must be a finite number > 0, got nan"),
        ("--store s3:/bucket/nets", "store must be a folder, s3://BUCKET/PREFIX or gs://BUCKET"),
        ("--out s3://bucket/results", "out must be a folder; behind a URL there can be networks"),
        ("--lottery.train.lr fast", "Error parsing --lottery.train.lr"),
        (
            "--lottery.train.batch-size 0",
            "train.batch_size must be a whole number >= 1, got 0",
        ),
        ("--lottery.train.eval-every 41", "train.eval_every must be at most train.steps (40)"),
        ("--lottery.prune.fraction 1.0", "prune.fraction must be in (0, 1), got 1.0"),
        ("--lottery.prune.fraction 20", "prune.fraction must be in (0, 1), got 20.0"),
        ("--lottery.prune.fractions.fc9 0.2", "fractions must be one of fc, fc1, fc2, out; got"),
        ("--lottery.prune.fractions.out 0.001", "must remove one of the 100 weights of out"),
        ("--lottery.prune.scope global", "no effect when prune.scope is 'global'"),
        ("--lottery.levels -1", "levels must be a whole number from 0 to 200, got -1"),
        ("--lottery.rewind-step 40", "rewind_step must be a whole number from 0 to below"),
        ("--lottery.model.name resnet", "model.name must be lenet-H1-H2-..."),
        ("--lottery.data.name digitz", "data.name must be one of"),
        ("--lottery.data.validation 1437", "data.validation must be 1..1436 for digits, got 1437"),
        (
            "--lottery.train.batch-size 1201",
            "train.batch_size must be 1..1200, the training split of digits, got 1201",
        ),
        ("--lottery.data.subsample 0.01", "must be 1..12, the training split of digits, got 60"),
        (
            "--lottery.train.momentum 0.5",
            "train.momentum must be left at 0.9, since only the optimizers momentum and nesterov",
        ),
        (
            "--lottery.train.decay 0.5",
            "train.decay must be left at 0.1, since only a training with",
        ),
        (
            "--lottery.model.init-std 0.1",
            "model.init_std must be left at 0.05, since only the init",
        ),
        (
            "--lottery.levels 1 --lottery.prune.one-shot 0.0001",
            "which leaves fc1 0 of 1280 weights at level 1, fc2 0 of 200 weights at level 1, out",
        ),
        ("--lottery.data.validation 0", "data.validation must be a whole number >= 1"),
        ("--name ../x", "name must be 1 to 64 letters"),
        ("--name cells", "name must be another than cells, mlruns, mlflow.db, which the"),
        ("--name Cells", "name must be another than cells"),
        ("--name cells.", "name must be another than cells"),
        ("--name CON", "name must be another than CON, PRN, AUX, NUL, COM1, LPT1 and so on"),
        ("--name nul.txt", "which Windows keeps for devices, got 'nul.txt'"),
        ("--name Com7", "which Windows keeps for devices"),
        ("--trials 0", "trials must be a whole number >= 1, got 0"),
        ("--trials 1000000", "trials must be at most 100000 (a search of more never ends), got 10"),
        ("--replicates 1000000", "must be at most 100000 (ids from 100000 on are kept for conf"),
        (
            "--lottery.train.steps 1000000000000",
            "train.steps must be at most 1000000000 (a net",
        ),
        (f"--lottery.train.batch-size 1{30 * '0'}", "train.batch_size must be at most 100000000 ("),
        (f"--lottery.levels 1{30 * '0'}", "levels must be a whole number from 0 to 200, got 1000"),
        ("--max-concurrent 0", "max_concurrent must be a whole number >= 1, got 0"),
        ("--objective.density 0", "objective.density must be in (0, 1), got 0.0"),
        ("--seed -1", "seed must be a whole number from 0"),
        ("--scale huge", "scale must be one of paper, smoke; got 'huge'"),
        ("--scale", "--scale"),
        ("--sampler tpee", "--sampler must be one of gp, random, tpe; got 'tpee'; did you mean"),
        ("--trails 3", "did you mean --trials?"),
        (
            "--lottery.model.name lenet-1-1",
            "prune.fractions must remove one of the 1 weights of fc2 at level 1, got 0.4",
        ),
        ("--lottery.model.dropout 1.0", "model.dropout must be in [0, 1), got 1.0"),
        ("--lottery.train.momentum 1.0", "train.momentum must be in [0, 1), got 1.0"),
        ("--lottery.train.weight-decay -1", "train.weight_decay must be a finite number >= 0"),
        ("--lottery.train.lr 1e400", "train.lr must be a finite number > 0, got inf"),
        (f"--seed {2**63}", "seed must be a whole number from 0 to 2^63 - 1, got 92"),
        (f"--name {300 * 'a'}", "name must be 1 to 64 letters"),
        ("--phases walk", "'walk'"),
        ("--controls reinit reinit", "controls must be each once, got ('reinit', 'reinit')"),
        (
            "--address CANARYU:CANARYP@127.0.0.1:6379",
            "address must be auto or HOST:PORT, a port up to 65535, got '***@127.0.0.1:6379'",
        ),
        ("--address ray://CANARY@h:1", "a port up to 65535, got 'ray://***@h:1'"),
        ("--adress CANARYU:CANARYP@h:1", "Unrecognized options: --adress"),
        ("--address h:65536", "address must be auto or HOST:PORT, a port up to 65535, got"),
        ("--controls transfer", "target must be given for the control 'transfer'"),
    ],
)
def test_a_bad_command_line_is_refused_before_anything_happens(refused, cwd, arguments, message):
    code, text = refused(*arguments.split())
    assert code == 2
    assert message in text
    assert text.startswith("lttune: error: ")
    assert text.count("\n") == 1
    assert list(cwd.iterdir()) == []


def test_a_layer_that_a_study_file_invents_is_refused_with_the_true_ones(refused, cwd):
    base = digits_study.SMOKE
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    lottery = digits_study.LOTTERY.override({"prune.fractions.fc9": 0.2})
    config = StudyConfig(**{**fields, "lottery": lottery})
    study = digits_study.Study(
        question="?",
        source="",
        scales={"quick": config},
        space=digits_study.SPACE,
        file=digits_study.STUDY.file,
    )
    code, text = refused(study=study)
    assert code == 2
    assert all(word in one_line(text) for word in ("fc9", "fc1", "fc2", "out"))
    assert list(cwd.iterdir()) == []


def test_a_dataset_that_can_be_had_nowhere_says_what_was_tried(refused, cwd, tmp_path, monkeypatch):
    def unavailable(wanted):
        raise DataError("out of order")

    empty = tmp_path / "data"
    monkeypatch.setenv("LTTUNE_DATA", str(empty))
    for source in mnist.SOURCES:
        monkeypatch.setitem(mnist.SOURCES, source, unavailable)
    code, text = refused("--lottery.data.name", "mnist")
    assert code == 4
    for words in ("mnist cannot be had", str(empty), "out of order", *mnist.SOURCES, "LTTUNE_DATA"):
        assert words in one_line(text)
    assert list(cwd.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("place", [[], ["--address", "local"]])
def test_cuda_without_cuda_is_refused(refused, cwd, place):
    code, text = refused("--device", "cuda", *place)
    assert (code, one_line(text)) == (5, "device must be cpu here: PyTorch sees no CUDA")
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize("place", ["out", "out/digits", "out/cells"])
def test_a_file_where_a_folder_is_to_be_is_named(refused, cwd, place):
    file = cwd / place
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    code, text = refused("--out", "out")
    assert code == 74
    assert one_line(text).startswith("cannot write to out/")
    assert file.read_text() == "mine"


def finished_start(cwd: Path, monkeypatch) -> None:
    """Starts a study that does nothing: it leaves its sheet and an empty ledger of trials."""
    with monkeypatch.context() as patch:
        patch.setattr(conductor.Conductor, "run", lambda self: conductor.Outcome(**NOTHING))
        assert main(digits_study.STUDY, digits_study.report, "", ["--out", "out"]) == 0


NOTHING = {"exit_code": 0, "report": Path(), "tracking": "", "not_tracked": ""}


def test_an_existing_study_with_another_configuration_is_refused_by_field(
    refused, cwd, monkeypatch
):
    finished_start(cwd, monkeypatch)
    before = (cwd / "out/digits/study.json").read_bytes()
    code, text = refused("--out", "out", "--lottery.train.lr", "0.5", "--seed", "3")
    assert code == 3
    assert "(lottery.train.lr: 0.01 -> 0.5; seed: 0 -> 3)" in one_line(text)
    assert (cwd / "out/digits/study.json").read_bytes() == before


@pytest.mark.parametrize("name", ["study.json", "trials.json"])
def test_a_damaged_file_of_a_study_is_named_and_left(refused, cwd, monkeypatch, name):
    finished_start(cwd, monkeypatch)
    file = cwd / "out/digits" / name
    file.write_bytes(b"\x00 nonsense")
    code, text = refused("--out", "out")
    assert code == 74
    assert f"out/digits/{name} is damaged" in one_line(text)
    assert file.read_bytes() == b"\x00 nonsense"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"runs": 3}, "runs must be a list of objects or null, got 3"),
        ({"machine": None, "runs": None}, "machine must be an object, got None"),
        ({"space": 3}, "space must be an object of choices, or of low and high, got 3"),
        ({"runs": [3]}, "runs must be a list of objects or null, got [3]"),
    ],
)
def test_a_sheet_that_cannot_be_continued_is_told(refused, cwd, monkeypatch, change, told):
    finished_start(cwd, monkeypatch)
    file = cwd / "out/digits/study.json"
    write_object(file, read_object(file) | change)
    code, text = refused("--out", "out")
    assert code == 74
    assert one_line(text) == f"out/digits/study.json: {told}"


def test_a_second_driver_of_one_study_is_turned_away(refused, cwd, monkeypatch):
    finished_start(cwd, monkeypatch)
    with FileLock(cwd / "out/digits/lock"):
        code, text = refused("--out", "out")
    assert code == 75
    assert one_line(text) == "another driver is running the study out/digits"


def test_an_interrupt_before_the_first_trial_is_no_traceback(refused, monkeypatch):
    def load(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("lttune.study.checks.examples.load", load)
    code, text = refused()
    assert (code, text.strip()) == (130, "lttune: interrupted")


def test_a_cluster_that_does_not_answer_is_named(monkeypatch):
    def init(**options):
        raise ConnectionError("Could not find any running Ray instance.\nMore words.")

    monkeypatch.setattr(cluster.ray, "init", init)
    with pytest.raises(ResourceError) as error:
        cluster.start_ray(StudyConfig(name="x", address="auto"))
    assert str(error.value) == (
        "no Ray cluster answers at address 'auto': Could not find any running Ray instance."
    )


@pytest.mark.parametrize(
    "uri",
    [
        "http://",
        "http://localhost:notaport",
        "sqlite://x.db",
        "./mlruns",
        "garbage",
        "sqlite:///:memory:",
        "databricks://a b",
        "http://s3@h:x",
    ],
)
@pytest.mark.parametrize("place", ["flag", "environment"])
def test_a_malformed_tracking_uri_is_refused_wherever_it_comes_from(
    refused, cwd, monkeypatch, uri, place
):
    if place == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    code, text = refused(*(["--tracking-uri", uri] if place == "flag" else []))
    assert code == 2
    field = "tracking_uri" if place == "flag" else "MLFLOW_TRACKING_URI"
    assert one_line(text).startswith(f"{field} must be ")
    assert text.count("\n") == 1
    assert "s3" not in text
    assert list(cwd.iterdir()) == []


def test_a_flag_outweighs_a_malformed_uri_of_the_environment(cwd, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    flags = ["--out", "out", "--tracking-uri", "sqlite:///mlflow.db"]
    with monkeypatch.context() as patch:
        patch.setattr(conductor.Conductor, "run", lambda self: conductor.Outcome(**NOTHING))
        assert main(digits_study.STUDY, digits_study.report, "", flags) == 0
