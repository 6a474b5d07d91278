"""A study that joins a cluster keeps MLflow's SQLite file where it outlives the head."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import pytest
from digits_study import SMOKE, STUDY

from lttune.errors import ConfigError
from lttune.study.checks.tracking import check_tracking
from lttune.study.main import _read

ROOT = Path(__file__).parents[2]

JOINED = dataclasses.replace(SMOKE, address="auto", out=Path("shared/results"))


def complaint(uri: str | None) -> str:
    try:
        check_tracking(dataclasses.replace(JOINED, tracking_uri=uri))
    except ConfigError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def unnamed(cwd, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize(
    "uri",
    [
        None,
        "sqlite:///mlflow.db",
        "sqlite:////home/me/mlflow.db",
        "sqlite+pysqlite:////home/me/mlflow.db",
        "sqlite:///shared/results-of-mine/mlflow.db",
        "sqlite:///shared/results/../mlflow.db",
    ],
)
def test_a_file_that_ends_with_the_head_is_one_line(cwd, uri):
    text = complaint(uri)
    out = cwd / "shared" / "results"
    rule = f"tracking_uri must be a server or a SQLite file in out ({out}) with --address, "
    assert text.startswith(rule)
    assert ", got 'sqlite:///" in text
    assert text.endswith(f"; give --tracking-uri sqlite:///{out}/mlflow.db")
    assert "\n" not in text
    assert complaint(text.rpartition(" ")[2]) == ""


def test_the_variable_is_named_where_it_says_so(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////home/me/mlflow.db")
    assert complaint(None).startswith("MLFLOW_TRACKING_URI must be a server or a SQLite file in")
    assert complaint("sqlite:///shared/results/mlflow.db") == ""


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:///shared/results/mlflow.db",
        "sqlite:///shared/results/deep/down/mlflow.db?timeout=5",
        "http://tracking:5000",
        "postgresql://tracking/mlflow",
        "databricks",
    ],
)
def test_what_outlives_the_head_is_well(uri):
    assert complaint(uri) == ""


def test_a_link_is_where_it_leads(cwd):
    (cwd / "disk").mkdir()
    (cwd / "shared").mkdir()
    (cwd / "shared" / "results").symlink_to(cwd / "disk")
    assert complaint(f"sqlite:///{cwd}/disk/mlflow.db") == ""
    (cwd / "disk" / "mlflow.db").symlink_to(cwd / "mlflow.db")
    assert "must be a server or a SQLite file in out" in complaint(
        f"sqlite:///{cwd}/disk/mlflow.db"
    )


def documented() -> list[str]:
    """Returns the lines of our pages and files that run a study on a cluster."""
    found = sorted((ROOT / "studies" / "cluster").iterdir())
    places = [ROOT / "README.md", *filter(Path.is_file, found)]
    joined = [path.read_text().replace("\n    --out", " --out") for path in places]
    found = [line for text in joined for line in text.splitlines() if "--address auto" in line]
    return [line for line in found if "python studies/" in line]


@pytest.mark.parametrize("line", documented())
def test_what_our_pages_say_is_taken(line):
    words = shlex.split(line.replace("'", ""))
    study = dataclasses.replace(STUDY, scales={"quick": SMOKE, "smoke": SMOKE})
    config = _read(words[words.index("--address") :], study)
    assert config.address == "auto"
    check_tracking(config)


def test_pages_and_files_run_one():
    assert len(documented()) == 4


@pytest.mark.parametrize("address", [None, "local"])
def test_a_study_of_one_machine_has_it_where_it_wants(address):
    check_tracking(dataclasses.replace(JOINED, address=address))


def test_it_is_told_before_anything_is_done(refused, cwd):
    code, text = refused("--address", "127.0.0.1:1")
    assert code == 2
    assert text.count(": tracking_uri must be a server or a SQLite file in out") == 1
    assert list(cwd.iterdir()) == []
