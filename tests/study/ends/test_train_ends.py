"""What is left of training that ends as nobody planned: by Ray's error, by a signal."""

from __future__ import annotations

import contextlib
import signal

import pytest
from digits_place import StudyPlace
from drivers import BRIEF
from one_process import one_process

from lttune.store.workplace import SCRATCH
from lttune.study import conductor
from lttune.study.conductor import Conductor

pytestmark = pytest.mark.slow


def test_what_ray_raises_as_it_ends_leaves_neither_guardian_nor_scratch(tmp_path, cwd, monkeypatch):
    place, left = StudyPlace(tmp_path), []

    @contextlib.contextmanager
    def guarded():
        left.append("guardian")
        try:
            yield
        finally:
            left.remove("guardian")

    def start_ray(config):
        (place.folder / SCRATCH).mkdir()
        return {"CPU": 1.0}

    def end_ray():
        assert left == ["guardian"]
        assert (place.folder / SCRATCH).exists()
        raise RuntimeError("no end")

    # Taken back before what it takes the place of.
    with one_process(), monkeypatch.context() as patch:
        patch.setattr(conductor, "children_guarded", guarded)
        patch.setattr(conductor, "start_ray", start_ray)
        patch.setattr(conductor, "end_ray", end_ray)
        with pytest.raises(RuntimeError, match="no end"):
            place.run(*BRIEF)
    assert left == []
    assert not (place.folder / SCRATCH).exists()


def test_a_trial_that_a_signal_ends_with_has_its_rows_counted(tmp_path, cwd, monkeypatch):
    ended = Conductor.ended

    def signalled(self, trial):
        assert (trial.state, trial.rows) == ("complete", None)
        signal.raise_signal(signal.SIGTERM)
        ended(self, trial)

    monkeypatch.setattr(Conductor, "ended", signalled)
    with one_process():
        place = StudyPlace(tmp_path).run(*BRIEF)
    assert place.exit_code == 143
    (trial,) = place.trials()
    assert trial["state"] == "complete"
    assert trial["rows"]["records"] == len(place.rows()) > 0
    assert trial["rows"]["layers"] > 0
