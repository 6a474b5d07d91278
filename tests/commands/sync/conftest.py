from __future__ import annotations

import pytest
import stored_study
from digits_place import empty_database

from lttune.__main__ import main


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The results of a study of two trials, and an MLflow database without a run."""
    root = tmp_path_factory.mktemp("sync")
    folder = stored_study.make(
        root / "results", trials=({}, {"train.lr": 0.003}), controls=("reinit",)
    )
    (folder / "report.html").write_text("<p>")
    (folder / "figures").mkdir()
    (folder / "figures" / "curve.svg").write_text("<svg/>")
    return folder


@pytest.fixture
def study(made, tmp_path):
    """A copy of it."""
    folder = tmp_path / "results" / made.name
    for path in made.rglob("*"):
        if path.is_file():
            copy = folder / path.relative_to(made)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def uri(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(empty_database())
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def sync(capsys):
    def run(*words: object) -> tuple[int, str]:
        code = main(["sync", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run
