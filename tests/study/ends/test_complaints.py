"""What Tune complains of is in a log, not on the screen; a full disk of a worker is one line."""

from __future__ import annotations

import errno
import logging

import pytest
from digits_place import StudyPlace
from drivers import BRIEF, Driver
from one_process import one_process

from lttune.study.workers.complaints import COMPLAINTS, LOGGERS, keep_complaints

NAME = "ray.tune.execution.experiment_state"


@pytest.fixture(autouse=True)
def restored():
    """Loggers as they are before any study of this process."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(list(one.handlers), one.propagate) for one in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [], True
    yield
    for logger, (handlers, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate


@pytest.fixture
def shown():
    """What reaches the handlers above Tune's loggers, which write to the screen."""
    seen = []

    class Shown(logging.Handler):
        def emit(self, record):
            seen.append(record.getMessage())

    handler = Shown()
    above = [logging.getLogger(), logging.getLogger("ray")]
    for logger in above:
        logger.addHandler(handler)
    yield seen
    for logger in above:
        logger.removeHandler(handler)


def complain():
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError:
        logging.getLogger(NAME).error("Saving experiment state failed", exc_info=True)


def test_a_traceback_of_tune_is_in_its_log_alone(tmp_path, shown, capfd):
    complain()
    assert shown
    shown.clear()
    capfd.readouterr()
    for folder in (tmp_path / "first", tmp_path / "second"):
        folder.mkdir()
        keep_complaints(folder)
    assert not (tmp_path / "second" / COMPLAINTS).exists()
    complain()
    text = (tmp_path / "second" / COMPLAINTS).read_text()
    assert f"ERROR {NAME}: Saving experiment state failed" in text
    assert text.count(" ERROR ") == 1
    assert not (tmp_path / "first" / COMPLAINTS).exists()
    assert (shown, capfd.readouterr()) == ([], ("", ""))


@pytest.mark.parametrize("full", ["open", "write"])
def test_a_log_that_cannot_be_written_is_missed_by_nobody(full, tmp_path, shown, capfd):
    if full == "open":
        keep_complaints(tmp_path / "missing")
    else:
        (tmp_path / COMPLAINTS).symlink_to("/dev/full")
        keep_complaints(tmp_path)
    complain()
    assert (shown, capfd.readouterr()) == ([], ("", ""))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_disk_that_a_worker_finds_full_ends_the_study_in_one_line(tmp_path, cwd, monkeypatch):
    place = StudyPlace(tmp_path).ready()
    with monkeypatch.context() as patch:
        patch.setenv("LTTUNE_FAULT", "cell.drafted:2:full")
        driver = Driver([*place.flags, *BRIEF], cwd, home=place.root)
        out, err = driver.process.communicate(timeout=200)
    assert driver.process.returncode == 74, out + err
    assert "Traceback" not in out + err
    assert err.startswith(f"lttune: error: {place.folder.parent / 'cells'} cannot be written: No ")
    assert err.endswith("are free there; make room and run the same command again\n")
    assert err.count("\n") == 1
    with one_process():
        place.run(*BRIEF)
    assert (place.exit_code, place.states()) == (0, ["complete"])
