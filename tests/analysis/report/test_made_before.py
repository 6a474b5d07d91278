"""A report whose study has not changed is not made again; whatever changed, it is made anew."""

from __future__ import annotations

import os
import threading

import pytest
from lockless import without_locks
from sample_study import anchor_rows, write_study

import analysis
from analysis.report import made
from analysis.report import write as report
from lttune.__main__ import main
from lttune.store.plain_json import read_json, write_json
from lttune.store.sealed import write_object

pytestmark = pytest.mark.usefixtures("undrawn")

IMPORTANCE = "figures/optuna_importance.csv"


@pytest.fixture
def folder(tmp_path):
    study = write_study(tmp_path / "study", anchor_rows())
    analysis.write_report(study)
    return study


def stamps(folder):
    names = ("report.html", "answer.txt", "figures/differences.csv")
    return [(folder / name).stat().st_mtime_ns for name in names]


def is_made_anew(folder) -> bool:
    """Returns whether the report was written once more, and then is not again."""
    before = stamps(folder)
    assert analysis.write_report(folder) == folder / "report.html"
    after = stamps(folder)
    analysis.write_report(folder)
    assert stamps(folder) == after
    return all(one != other for one, other in zip(before, after, strict=True))


def test_nothing_is_computed_where_nothing_has_changed(folder, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("a report was made")

    pages = [path.read_bytes() for path in sorted(folder.rglob("*.*"))]
    monkeypatch.setattr(report, "write", never)
    assert not is_made_anew(folder)
    assert [path.read_bytes() for path in sorted(folder.rglob("*.*"))] == pages


@pytest.mark.parametrize(
    "name", ["study.json", "records.parquet", "claims.yaml", "claims.lock.json", "layers.journal"]
)
def test_a_file_that_has_changed_makes_it_anew(folder, name):
    before = made.inputs_of(folder)
    path = folder / name
    data = path.read_bytes() if path.exists() else b"{}"
    path.write_bytes(data + b" ")
    assert made.inputs_of(folder) != before


def test_another_question_is_on_the_page(folder):
    sheet = read_json(folder / "study.json")
    sheet.pop("seal", None)
    write_object(folder / "study.json", {**sheet, "question": "Is it anew?"})
    assert is_made_anew(folder)
    assert "Is it anew?" in (folder / "report.html").read_text()


@pytest.mark.parametrize("name", ["report.html", "answer.txt", "figures/differences.csv"])
@pytest.mark.parametrize("change", ["gone", "other"])
def test_what_was_written_and_is_not_there_as_it_was_is_written_anew(folder, name, change):
    path = folder / name
    data = path.read_bytes()
    path.unlink() if change == "gone" else path.write_bytes(data + b"\n")
    analysis.write_report(folder)
    assert path.read_bytes() == data


@pytest.mark.parametrize("text", ["", "{", "[]", '{"inputs": "", "written": {}}', '{"written": 3}'])
def test_a_note_that_is_none_makes_it_anew(folder, text):
    (folder / made.MADE_FROM).write_text(text)
    assert is_made_anew(folder)


def test_code_packages_and_folder_are_inputs(folder, monkeypatch, tmp_path):
    before = made.inputs_of(folder)
    assert len(before) == 64
    with monkeypatch.context() as patch:
        patch.setattr(made, "version", lambda name: "0")
        assert made.inputs_of(folder) != before
    with monkeypatch.context() as patch:
        patch.setattr(made, "_sources", lambda package: "0")
        assert made.inputs_of(folder) != before
    monkeypatch.chdir(tmp_path)
    assert made.inputs_of(folder.relative_to(tmp_path)) != before
    assert made.inputs_of(folder) == before


def test_what_cannot_be_read_is_never_current(folder):
    (folder / "claims.yaml").mkdir()
    assert made.inputs_of(folder) == ""
    assert not made.is_current(folder, "")


def test_inputs_that_are_not_known_make_no_report_current(folder):
    noted = read_json(folder / made.MADE_FROM)
    write_json(folder / made.MADE_FROM, {**noted, "inputs": ""})
    assert not made.is_current(folder, "")


def test_the_command_always_makes_it(folder, capsys):
    # Who was given a study does not know who wrote the page that lies in it.
    before = stamps(folder)
    assert main(["report", str(folder)]) == 0
    assert all(one != other for one, other in zip(before, stamps(folder), strict=True))
    assert not is_made_anew(folder)


def test_how_long_a_run_took_is_no_input_and_its_trials_are(folder):
    before = made.inputs_of(folder)
    listing = read_json(folder / "trials.json")
    write_json(folder / "trials.json", {**listing, "wall_s": 1e6})
    assert made.inputs_of(folder) == before
    trials = [{**listing["trials"][0], "state": "failed"}, *listing["trials"][1:]]
    write_json(folder / "trials.json", {**listing, "trials": trials})
    assert made.inputs_of(folder) != before


def test_what_others_put_beside_the_figures_is_none_of_the_reports(folder):
    (folder / "figures" / ".ipynb_checkpoints").mkdir()
    (folder / made.MADE_FROM).unlink()
    assert is_made_anew(folder)


def test_a_note_that_cannot_be_written_costs_no_report(folder):
    (folder / made.MADE_FROM).unlink()
    (folder / made.MADE_FROM).mkdir()
    assert analysis.write_report(str(folder)) == folder / "report.html"
    assert not made.is_current(folder, made.inputs_of(folder))


def test_of_two_writers_at_a_time_the_page_that_is_noted_is_that_of_the_newer_records(
    folder, monkeypatch
):
    """The one of the older records is slow, and would write its page over the other's."""
    begun, newer, older = (threading.Event() for _ in range(3))

    def write(where, **_):
        if not begun.is_set():
            begun.set()
            newer.wait(1)
            (where / "report.html").write_text("older")
            older.set()
        else:
            (where / "report.html").write_text("newer")
            newer.set()
            older.wait(1)
        return where / "report.html"

    monkeypatch.setattr(report, "write", write)
    (folder / IMPORTANCE).write_text("older")
    first = threading.Thread(target=analysis.write_report, args=(folder,))
    first.start()
    assert begun.wait(30)
    (folder / IMPORTANCE).write_text("newer")
    analysis.write_report(folder)
    first.join()
    page = (folder / "report.html").read_text()
    assert page == "newer" or not made.is_current(folder, made.inputs_of(folder))
    assert not (folder / made.LOCK).exists()


def test_who_waits_for_another_writer_says_so_at_once(folder, monkeypatch, caplog):
    monkeypatch.setattr(made, "LONGEST_S", 0.25)
    monkeypatch.setattr(report, "write", lambda where, **_: where / "report.html")
    with made.only_writer(folder):
        assert main(["report", str(folder)]) == 0
        assert (folder / made.LOCK).exists()
    (line,) = [one for one in caplog.messages if "waiting" in one]
    head = f"the report of {folder} is being written by process {os.getpid()} on "
    assert line.startswith(head)
    assert line.endswith(": waiting for that, 0.25 s at most")
    assert not (folder / made.LOCK).exists()
    caplog.clear()
    assert main(["report", str(folder)]) == 0
    assert "waiting" not in caplog.text


@pytest.mark.parametrize("anew", [True, False])
def test_what_a_report_is_made_from_is_read_once(folder, monkeypatch, anew):
    reads, read = list[object](), made.inputs_of
    monkeypatch.setattr(report, "write", lambda where, **_: where / "report.html")
    monkeypatch.setattr(made, "inputs_of", lambda where: (reads.append(where), read(where))[1])
    (folder / IMPORTANCE).write_text("other")
    analysis.write_report(folder, anew=anew)
    assert reads == [folder]
    assert made.is_current(folder, read(folder))


def test_where_there_are_no_locks_a_report_is_made_without(folder, monkeypatch):
    without_locks(monkeypatch, folder)
    (folder / IMPORTANCE).write_text("other")
    monkeypatch.setattr(report, "write", lambda where, **_: where / "report.html")
    assert analysis.write_report(folder) == folder / "report.html"
