"""What is left of training when it ends as nobody planned."""

from __future__ import annotations

import contextlib

import pytest
from digits_place import StudyPlace
from drivers import BRIEF
from one_process import one_process

from lttune.store.workplace import SCRATCH
from lttune.study import conductor

pytestmark = pytest.mark.slow


def test_what_ray_raises_as_it_ends_leaves_neither_guardian_nor_scratch(
    tmp_path, cwd, monkeypatch
):
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

    with one_process():
        monkeypatch.setattr(conductor, "children_guarded", guarded)
        monkeypatch.setattr(conductor, "start_ray", start_ray)
        monkeypatch.setattr(conductor, "end_ray", end_ray)
        with pytest.raises(RuntimeError, match="no end"):
            place.run(*BRIEF)
    assert left == []
    assert not (place.folder / SCRATCH).exists()
