"""``lttune watch``: a study from another terminal, by its files alone."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import wait_for
from rich.console import Console
from sample_study import runs, search_trials, trial, write_study

from lttune.__main__ import main
from lttune.store.locks import NOTE, only_driver
from lttune.store.plain_json import write_json
from lttune.study.console.reached import PROGRESS
from lttune.study.console.watching import watch_study

SEARCHED = {"train.lr": 0.000123456, "train.batch_size": 16}
REPORT = {"level": 3, "density": 0.512, "val_accuracy": 0.95, "test_accuracy": 0.9412}


def trials(*states: str) -> list[dict]:
    """Returns trials in states; the ended ones are anchors of the sample, the others search."""
    found = []
    for number, state in enumerate(states):
        over = {} if state == "complete" else {"objective": None}
        phase = "anchor" if number < 3 else "search"
        hparams = {} if number < 3 else SEARCHED
        one = trial(number, phase, state=state, hparams=hparams, controls=[], label="") | over
        found.append(one)
    return found


@pytest.fixture
def folder(tmp_path) -> Path:
    """A study of which a driver that is this process has trained three of five trials."""
    return write_study(
        tmp_path / "results" / "s",
        trials=trials("complete", "complete", "complete", "running", "waiting"),
        planned={"anchor": 3, "search": 2},
        command="python studies/sample.py --scale quick",
    )


def relisted(folder: Path, *states: str) -> None:
    planned = {"anchor": 3, "search": len(states) - 3}
    write_json(folder / "trials.json", {"planned": planned, "trials": trials(*states)})


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def watched(folder: Path, terminal: bool = False) -> tuple[Console, Callable[[], int]]:
    """Watches a study in a thread; returns its console, and what waits for its exit code."""
    console = Console(
        file=io.StringIO(), width=110, force_terminal=terminal, color_system=None, record=True
    )
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(watch_study(folder, console, 0.01)))
    thread.start()

    def joined() -> int:
        thread.join(30)
        assert not thread.is_alive()
        return codes[0]

    return console, joined


def text(console: Console) -> str:
    return console.file.getvalue()


def test_a_study_is_watched_until_it_ends_and_nothing_of_it_changes(folder):
    runs(folder)
    before = everything(folder)
    console, joined = watched(folder)
    wait_for(lambda: "3 of 5 trials done" in text(console))
    assert everything(folder) == before
    relisted(folder, "complete", "complete", "complete", "complete", "running")
    wait_for(lambda: "[4/5]" in text(console))
    relisted(folder, "complete", "complete", "complete", "complete", "complete")
    wait_for(lambda: "[5/5]" in text(console))
    (folder / NOTE).unlink()
    assert joined() == 0
    lines = text(console).splitlines()
    assert lines[:3] == [
        "sample: Does it win?",
        f"run by process {os.getpid()} on here, since 2026-11-23T08:00:00+00:00",
        f"`lttune report {folder}` writes a report of what there is",
    ]
    assert lines[3].startswith("search   3 of 5 trials done, 1 running, 1 to come   ")
    assert lines[4:7] == [
        "[4/5] 003 search lr=0.000123 batch_size=16: complete  objective 0.9000",
        "[5/5] 004 search lr=0.000123 batch_size=16: complete  objective 0.9000",
        "complete: 5 of 5 trials",
    ]
    assert not list(folder.glob(".*"))


def test_on_a_terminal_settings_and_levels_are_a_table(folder):
    runs(folder)
    (folder / PROGRESS).write_text(json.dumps({"left_s": 125, "trials": {"3": REPORT}}))
    console, joined = watched(folder, terminal=True)
    wait_for(lambda: "94.12%" in text(console))
    shown = text(console)
    assert "about 2 min left" in shown
    row = next(line for line in shown.splitlines() if "003 search" in line)
    cells = ["003", "search", "0.000123", "16", "3", "51.2%", "95.00%", "94.12%"]
    assert row.split() == cells
    (folder / NOTE).unlink()
    assert joined() == 1


def test_an_incomplete_study_that_nobody_runs_is_told_with_what_goes_on(folder, capsys):
    before = everything(folder)
    assert main(["watch", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "sample: Does it win?",
        "incomplete: 3 of 5 trials",
        "nobody runs it now; `python studies/sample.py --scale quick` goes on",
        f"`lttune report {folder}` writes a report",
    ]
    assert everything(folder) == before


def test_a_finished_study_says_what_it_found(tmp_path, capsys):
    folder = write_study(tmp_path / "s", trials=trials(*["complete"] * 3))
    assert main(["report", str(folder)]) == 0
    capsys.readouterr()
    before = everything(folder)
    assert main(["watch", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "the ticket's mean test accuracy at the early-stopping step" in lines[1]
    assert lines[-2:] == ["complete: 3 of 3 trials", f"report: {folder / 'report.html'}"]
    assert everything(folder) == before


def test_the_report_of_a_study_under_way_is_marked_and_leaves_the_study_alone(folder, capsys):
    runs(folder)
    kept = {name: (folder / name).read_bytes() for name in ("study.json", "trials.json", NOTE)}
    assert main(["report", str(folder)]) == 0
    assert (
        "Incomplete: 3 of 5 trials. The numbers below will change."
        in (folder / "report.html").read_text()
    )
    assert {name: (folder / name).read_bytes() for name in kept} == kept


def test_where_only_reading_is_allowed_it_is_enough(folder):
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        console, joined = watched(folder)
        assert joined() == 1
        assert "incomplete: 3 of 5 trials" in text(console)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("part", ["", "study.json", "trials.json"])
def test_what_is_no_study_is_one_line_and_a_code(folder, capsys, part):
    named = folder if part else folder.parent / "nothing"
    if part:
        (folder / part).unlink()
    assert main(["watch", str(named)]) == 74
    out, err = capsys.readouterr()
    name = part or "study.json"
    assert (out, err) == ("", f"lttune: error: {named} is no study: it has no {name}\n")


@pytest.mark.parametrize("every", ["0", "-1", "nan", "1e300"])
def test_a_time_that_is_none_is_refused(folder, capsys, every):
    with pytest.raises(SystemExit) as ended:
        main(["watch", str(folder), "--every", every])
    assert ended.value.code == 2
    assert "--every must be a number of seconds > 0" in capsys.readouterr().err


def test_a_study_that_has_only_begun_is_waited_for(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    with only_driver(folder):
        console, joined = watched(folder)
        wait_for(lambda: "0 of 0 trials done" in text(console))
        made = write_study(tmp_path / "made", trials=trials(*["complete"] * 3))
        for name in ("records.parquet", "study.json", "trials.json"):
            (made / name).rename(folder / name)
    assert joined() == 0
    assert "complete: 3 of 3 trials" in text(console)


def test_what_a_stranger_calls_a_study_draws_nothing(tmp_path, capsys):
    one = trial(0, state="failed", objective=None, error="\x1b[2J[bold]", label="\x1b]0;x\x07")
    one["controls"] = []
    folder = write_study(tmp_path, trials=[one], question="\x1b[31mred", planned={"anchor": 1})
    assert main(["watch", str(folder)]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2J[bold]" in out


CODE = "import sys; from lttune.__main__ import main; sys.exit(main())"


@pytest.mark.slow
def test_ctrl_c_ends_it_without_a_word(folder):
    runs(folder)
    words = [sys.executable, "-c", CODE, "watch", str(folder), "--every", "0.1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "sample: Does it win?\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_search_trials_are_named_by_their_settings(tmp_path, capsys):
    folder = write_study(
        tmp_path,
        trials=[one | {"controls": []} for one in [trial(0, state="failed"), *search_trials(1, 1)]],
    )
    main(["watch", str(folder)])
    assert "failed: 000 anchor lr=0.0012 batch_size=60 scope=layer (anchor-0): " in (
        capsys.readouterr().out
    )
