"""A canary: the secret of a tracking URI is in no output of a study, whatever its form."""

from __future__ import annotations

import base64
import io
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import digits_study
import pytest
from answering import free_port
from digits_place import StudyPlace, empty_database
from one_process import one_process

from lttune.__main__ import main as command
from lttune.study.main import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CANARY = "s3cr3tCANARY"
FORMS = (
    f"http://{CANARY}@127.0.0.1:{{port}}",
    f"http://me:{CANARY}@127.0.0.1:{{port}}",
    f"http://127.0.0.1:{{port}}?access_token={CANARY}",
    f"http://127.0.0.1:{{port}}/x?api_key={CANARY}&q={CANARY}",
    f"http://127.0.0.1:{{port}}#{CANARY}",
    f"postgresql://me:a/{CANARY}#b@127.0.0.1:{{port}}/db?sslpassword={CANARY}",
)


def output(run, *arguments) -> str:
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(text), suppress(SystemExit):
        run(*arguments)
    return text.getvalue()


def found(root: Path) -> list[str]:
    """Returns the files that hold the canary, as it is or as a login is sent."""
    forms = [CANARY.encode(), base64.b64encode(f"me:{CANARY}".encode())]
    files = [path for path in root.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(form in path.read_bytes() for form in forms)]


CASES = [*((form, "flag") for form in FORMS), (FORMS[0], "joined flag"), (FORMS[1], "environment")]


@pytest.mark.parametrize(("form", "where"), CASES)
def test_the_secret_of_a_tracking_uri_is_in_no_output(form, where, tmp_path, cwd, monkeypatch):
    uri = form.format(port=free_port())
    flags = {
        "flag": ["--tracking-uri", uri],
        "joined flag": [f"--tracking-uri={uri}"],
        "environment": [],
    }[where]
    if where == "environment":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    small = ["--phases", "anchor", "search", "--replicates", "1", "--trials", "1"]
    arguments = ["--out", str(tmp_path / "out"), *small, *flags]
    monkeypatch.setattr(sys, "argv", ["study.py", *arguments])
    place = StudyPlace(tmp_path)
    with one_process():
        said = output(main, digits_study.STUDY, digits_study.report, "", arguments)
    assert place.states() == ["complete"] * 2
    assert "not in MLflow: " in said

    (tmp_path / "mlflow.db").write_bytes(empty_database())
    folder = str(place.folder)
    for words in (
        ["sync", folder],
        ["sync", folder, "--tracking-uri", uri],
        ["sync", folder, "--tracking-uri", place.uri],
        ["export", "--csv", folder],
        ["export", "--optuna", folder],
        ["export", "--deepcave", folder],
        ["report", folder],
    ):
        said += output(command, words)
    assert set(place.statuses().values()) == {"FINISHED"}
    assert (place.folder / "csv").is_dir()
    assert (place.folder / "optuna.db").is_file()
    assert CANARY not in said
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    "words",
    [
        ["--tracking-url", f"http://{CANARY}@host"],
        [f"--tracking-uri=http://{CANARY}@host:x"],
        ["--tracking-uri", f"http://me:{CANARY}/x@host"],
        ["--tracking-uri", f"{CANARY}@host"],
        ["--address", f"http://{CANARY}@host:5000"],
        ["--name", f"http://host?token={CANARY}"],
        ["--seed", f"http://a-rather-long-name-of-a-host.example.org:5000/x?y={CANARY}"],
    ],
)
def test_the_secret_of_a_refused_command_line_is_not_repeated(words, cwd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study.py", *words])
    said = output(main, digits_study.STUDY, digits_study.report, "", words)
    assert said.startswith("lttune: error: ")
    assert CANARY not in said.replace(" ", "")
    assert list(cwd.iterdir()) == []
