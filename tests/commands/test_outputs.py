"""What a command cannot write, or nobody reads: one line and an exit code, or no word at all."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sample_study import write_study

from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.store.files import write_atomically

PIPED = """
import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
{call}
"""


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "results" / "sample")


@pytest.mark.parametrize(
    ("command", "out", "reason"),
    [
        ("check", "a file/x.csv", errno.EEXIST),
        ("check", "a folder", errno.EISDIR),
        ("check", ".", errno.EISDIR),
        ("lock", "a file/x.json", errno.EEXIST),
    ],
)
def test_claims_that_cannot_be_written_are_one_line(study, cwd, capsys, command, out, reason):
    (cwd / "a file").write_text("kept")
    (cwd / "a folder").mkdir()
    studies = [str(study)] if command == "check" else []
    code = main(["claims", command, *studies, "--out", out])
    complaint = f"lttune: error: {out} cannot be written: {os.strerror(reason)}\n"
    assert (code, capsys.readouterr().err) == (74, complaint)
    assert (cwd / "a file").read_text() == "kept"
    assert sorted(path.name for path in cwd.iterdir()) == ["a file", "a folder"]


@pytest.mark.parametrize(
    "name", ["claims.lock.json", "claims.yaml", "report.html", "answer.txt", "records.parquet"]
)
@pytest.mark.parametrize(
    "command", ["claims check S", "transfer S", "masks a b --combine union", "claims lock"]
)
def test_no_output_replaces_a_studys_own_file(study, capsys, command, name):
    (study / name).write_text("its own")
    words = [str(study) if word == "S" else word for word in command.split()]
    with pytest.raises(SystemExit) as ended:
        sys.exit(main([*words, "--out", str(study / name)]))
    told = capsys.readouterr().err
    assert ended.value.code == 2
    is_once = (command, name) == ("claims lock", "claims.lock.json")
    assert ("written once" if is_once else "none of a study's own files") in told.replace("\n", " ")
    assert (study / name).read_text() == "its own"


def test_a_file_of_pictures_or_masks_that_is_there_is_not_replaced(cwd, capsys):
    (cwd / "pictures").mkdir()
    for name, words in (
        ("mine.npz", "data ./pictures --save mine.npz"),
        ("mine.safetensors", "masks a b --combine union --out mine.safetensors"),
    ):
        (cwd / name).write_text("mine")
        assert main(words.split()) == 74
        told = f"{name} is there already: move it away, or give another {words.split()[-2]}"
        assert capsys.readouterr().err == f"lttune: error: {told}\n"
        assert (cwd / name).read_text() == "mine"


def test_verdicts_go_into_a_new_folder(study, cwd):
    assert main(["claims", "check", str(study), "--out", "new/x.csv"]) == 0
    assert (cwd / "new/x.csv").read_text().startswith("claim,")


@pytest.mark.parametrize("name", [".", "folder", "folder/.."])
def test_a_folder_is_no_place_for_a_file(cwd, name):
    (cwd / "folder").mkdir()
    refused = pytest.raises(StorageError, match="cannot be written: Is a directory")
    with refused, write_atomically(Path(name)):
        pytest.fail("something was written")


def test_any_other_error_of_the_machine_is_one_line(monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("lttune.data.load", fail)
    assert main(["data", "digits"]) == 74
    assert capsys.readouterr().err == f"lttune: error: [Errno 28] {os.strerror(errno.ENOSPC)}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "from lttune.__main__ import main; sys.exit(main(['--version']))",
        "from lttune.__main__ import main; sys.exit(main(['claims', 'list']))",
        "from lttune.__main__ import main; sys.exit(main(['report', '--help']))",
        "sys.argv[1:] = ['--help']; import runpy\n"
        "runpy.run_path('studies/find_best_ticket.py', run_name='__main__')",
    ],
)
def test_an_output_that_nobody_reads_ends_a_command_without_a_word(call):
    words = [sys.executable, "-c", PIPED.format(call=call)]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


FULL = Path("/dev/full")


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize(
    "call",
    [
        "from lttune.__main__ import main; sys.argv[1:] = ['--help']; sys.exit(main())",
        "from lttune.__main__ import main; sys.argv[1:] = ['--version']; sys.exit(main())",
        "from lttune.__main__ import main; sys.argv[1:] = ['claims', 'list']; sys.exit(main())",
        "from lttune.__main__ import main; sys.argv[1:] = ['export', '--help']; sys.exit(main())",
        "sys.argv[1:] = ['--help']; import runpy\n"
        "runpy.run_path('studies/find_best_ticket.py', run_name='__main__')",
    ],
)
def test_an_output_that_cannot_be_written_is_one_line(call):
    root = Path(__file__).parents[2]
    words = [sys.executable, "-c", f"import sys\n{call}"]
    with FULL.open("w") as full:
        done = subprocess.run(words, cwd=root, stdout=full, stderr=subprocess.PIPE, check=False)
    *before, line = done.stderr.decode().splitlines()
    assert (done.returncode, before) in [(74, []), (74, ["lttune claims: at work"])]
    assert line.startswith("lttune: error: ")
    assert line.endswith(os.strerror(errno.ENOSPC))


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize(
    ("words", "code"),
    [([], 2), (["badcmd"], 2), (["watch", "--every", "x"], 2), (["report", "nothing"], 74)],
)
def test_a_line_that_cannot_be_written_leaves_the_exit_code(words, code):
    run = "import sys; from lttune.__main__ import main; sys.exit(main())"
    with FULL.open("w") as full:
        command = [sys.executable, "-c", run, *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (code, b"")


@pytest.mark.parametrize(
    ("name", "encoding", "shown"),
    [("é.npz", "ascii", r"\xe9.npz"), (os.fsdecode(b"\xff.npz"), "utf-8", r"\udcff.npz")],
)
def test_a_name_that_an_output_cannot_hold_is_written_out(cwd, monkeypatch, name, encoding, shown):
    x, y = np.arange(96, dtype=np.uint8).reshape(6, 4, 4), np.array([0, 1, 2] * 2)
    np.savez(cwd / name, train_x=x, train_y=y, test_x=x[:3], test_y=y[:3])
    data = io.BytesIO()
    out = io.TextIOWrapper(data, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["data", f"./{name}"]) == 0
    assert shown in data.getvalue().decode("ascii")
    assert out.errors == "strict"
