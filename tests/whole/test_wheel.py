"""The wheel is the product: beside its dependencies it does all that the checkout does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import digits_study
import pytest
import stored_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]


COMMANDS = """
import contextlib, io, json, sys
from lttune.__main__ import main
found = []
for words in json.loads(sys.argv[1]):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
    found.append((code, text.getvalue()))
print(json.dumps(found))
"""
"""Runs several commands in one Python: each would import PyTorch or matplotlib anew."""

ALIAS = """
import runpy, sys
from analysis import load
print(len(load(sys.argv[1]).records), flush=True)
runpy.run_module("analysis.report", run_name="__main__", alter_sys=True)
"""
"""Reads a study; then what ``python -m analysis.report`` does."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """An environment with the wheel and, by their path alone, the packages that it needs."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", place, ROOT]
    subprocess.run(wheel, check=True)
    venv.create(place / "env", symlinks=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(place / "env")}))
    # A path in a .pth file is not itself searched for such files: the checkout stays unknown.
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (built,) = place.glob("*.whl")
    python = place / "env" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", built], check=True)
    return place / "env" / "bin"


@pytest.fixture
def run(installed, tmp_path):
    """Runs a command in an unrelated folder; returns its exit code and what it printed."""

    def run(*words: str | Path) -> tuple[int, str]:
        environment = {**os.environ, "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [installed / words[0], *words[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_both_packages_are_those_of_the_wheel(run, installed):
    code, printed = run("python", "-c", "import analysis, lttune; print(analysis, lttune)")
    assert code == 0
    assert printed.count(str(installed.parent)) == 2
    assert str(ROOT) not in printed


def test_every_command_is_there(run):
    code, printed = run("lttune", "--help")
    assert code == 0
    names = [line.split()[0] for line in printed.splitlines()[3:]]
    ours = "claims data doctor export importance masks new report sync transfer watch"
    assert set(ours.split()) == set(names)
    for name, (code, printed) in zip(
        names, commands(run, *([name, "--help"] for name in names)), strict=True
    ):
        assert (code, f"lttune {name}" in printed) == (0, True), printed


def commands(run, *lines: list[str]) -> list[tuple[int, str]]:
    """Returns the exit code of each command of ``lttune`` and what it printed."""
    code, printed = run("python", "-c", COMMANDS, json.dumps(lines))
    assert code == 0, printed
    return [(code, text) for code, text in json.loads(printed)]


def test_commands_do_their_work(run, tmp_path):
    study = str(stored_study.make(tmp_path / "results"))
    page = Path(study) / "report.html"
    assert run("lttune", "data", "digits")[0] == 0
    listed, checked, report, export, masks, transfer, importance, new = commands(
        run,
        ["claims", "list"],
        ["claims", "check", study],
        ["report", study],
        ["export", study, "--level", "1", "--out", "ticket.safetensors"],
        ["masks", f"{study}:0/0/1", f"{study}:0/0/1"],
        ["transfer", study, "--replicates", "1", "--steps", "20", "--engine", "torch"],
        ["importance", study],
        ["new", "mine"],
    )
    assert listed[1].count("\n") > 100
    assert "not tested" in checked[1]
    assert (Path(study) / "transfer.parquet").exists(), transfer[1]
    codes = (checked[0], report[0], export[0], masks[0], transfer[0], importance[0], new[0])
    assert codes == (0, 0, 0, 0, 0, 2, 0)
    assert (tmp_path / "mine.py").read_text().startswith('"""Which hyperparameters decide'), new[1]
    assert page.exists()
    assert "study must have a design" in importance[1]
    page.unlink()
    code, printed = run("python", "-c", ALIAS, study)
    assert code == 0, printed
    assert page.exists()
    assert int(printed.splitlines()[0]) > 0


def test_a_study_file_that_lies_elsewhere_runs_and_commands_know_the_study(run, tmp_path):
    text = Path(digits_study.__file__).read_text()
    with_report = text.replace("main(STUDY, report,", "main(STUDY, analysis.write_report,")
    file = tmp_path / "mine.py"
    file.write_text(with_report.replace("import sys\n", "import sys\n\nimport analysis\n", 1))
    flags = ("--trials", "1", "--replicates", "1", "--engine", "torch", "--max-concurrent", "1")
    code, printed = run("python", file, *flags)
    assert code == 0, printed
    assert "<svg" in (tmp_path / "results" / "digits" / "report.html").read_text()
    study, other = "results/digits", "sqlite:///other.db"
    looked, sent, again, watched = commands(
        run,
        ["doctor", study],
        ["sync", study, "--tracking-uri", other],
        ["sync", study, "--tracking-uri", other],
        ["watch", study],
    )
    assert (looked[0], sent[0], again[0], watched[0]) == (0, 0, 0, 0), (looked, sent, watched)
    assert "ok      records.parquet: " in looked[1]
    assert (tmp_path / "other.db").exists(), sent[1]
    assert "all 2 trials of the study digits" in again[1]
    assert "complete" in watched[1]
