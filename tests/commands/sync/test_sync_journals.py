"""``lttune sync`` of a study whose driver was killed: what its journals have is sent as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from changed_bytes import flip
from synced import state
from tracked import TrackedRuns

from lttune.records import schema
from lttune.records.folder import read_sheet
from lttune.records.tables import journaled
from lttune.store.formats.journal import Journal, journal_of
from lttune.study.tracking.tracker import Tracker

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def journaled_study(study: Path) -> list[dict[str, Any]]:
    """Leaves the rows of the last trial in the journal, as a killed driver does; returns all."""
    path = study / "records.parquet"
    rows, study_id = schema.read(path), read_sheet(study).get("study_id")
    first = [row for row in rows if row["trial"] == 0]
    written = Journal(path, schema.write(path, first, study_id=study_id), has_infinities=True)
    written.append([journaled([row for row in rows if row["trial"] == 1])])
    return rows


def test_the_table_that_is_sent_has_what_its_journal_has(study, uri, sync):
    rows = journaled_study(study)
    before = state(study)
    code, text = sync(study, "--tracking-uri", uri)
    assert code == 0, text
    store = TrackedRuns(uri)
    run = store.runs("digits")["digits"].info.run_id
    assert schema.read(Path(store.client.download_artifacts(run, "records.parquet"))) == rows
    assert state(study) == before


def test_of_a_study_with_a_damaged_journal_nothing_is_sent(study, uri, sync, monkeypatch):
    """Also if it is that of a table from which nothing is mirrored."""
    journaled_study(study)
    layers = [dict.fromkeys(schema.LAYERS) | {"trial": 0, "replicate": 0, "level": 0, "layer": "a"}]
    path = study / "layers.parquet"
    digest = schema.write(path, layers, schema.LAYERS, read_sheet(study).get("study_id"))
    Journal(path, digest).append([journaled(layers)])
    flip(journal_of(path))
    monkeypatch.setattr(Tracker, "start", lambda *_, **__: pytest.fail("the study's run is opened"))
    code, text = sync(study, "--tracking-uri", uri)
    assert (code, "layers.journal is damaged" in text) == (74, True)
