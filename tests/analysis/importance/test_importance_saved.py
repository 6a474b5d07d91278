"""Importances in a study's folder: estimated once, and never read where they do not belong."""

import dataclasses
import hashlib
import json
import re
from functools import partial

import pandas as pd
import pytest
from bounded import bounded
from sample_sweeps import design_study

from analysis.importance import importance_by_density, saved
from analysis.importance.by_density import ImportanceCurves
from analysis.report import write as report
from analysis.tables.design import importance as design_importance
from analysis.tables.design import points as design_points
from lttune.errors import RefusedError
from lttune.store.sealed import FILES_SCHEMA, seal

TABLE = pd.DataFrame({"factor": ["lr", "inert"], "first": [0.1 + 0.2, float("nan")]})
TABLE = TABLE.assign(detected=[True, False], density=[1.0, 0.8])
STRIP = pd.DataFrame({"density": [1.0], "status": ["ok"], "trajectories": [20], "q2": [1 / 3]})
NOTHING = pd.DataFrame()
FOUND = saved.Importances(
    **dict.fromkeys(saved.FRAMES, NOTHING) | {"table": TABLE, "strip": STRIP},
    sample="",
    ended="at density 0.2",
    divergence="3 of 20",
)


def test_tables_come_back_bit_by_bit(tmp_path):
    path = tmp_path / saved.NAME
    saved.save(path, "k", FOUND)
    back = saved.find(path, "k")
    pd.testing.assert_frame_equal(back.table, TABLE, check_exact=True)
    pd.testing.assert_frame_equal(back.strip, STRIP, check_exact=True)
    assert (back.ended, back.divergence) == (FOUND.ended, FOUND.divergence)
    assert back.widths.empty
    assert saved.find(path, "other") is None
    assert saved.find(tmp_path / "none.json", "k") is None


def test_a_file_of_another_study_is_as_good_as_none(tmp_path):
    path = tmp_path / saved.NAME
    saved.save(path, "k", FOUND, "a" * 64)
    assert saved.find(path, "k", "b" * 64) is None
    for own in ("a" * 64, None):
        assert saved.find(path, "k", own) is not None
    # Of a version that did not name the study.
    saved.save(path, "k", FOUND)
    assert "study_id" not in saved.kept(path)
    assert saved.find(path, "k", "b" * 64) is None
    assert saved.find(path, "k") is not None


def test_numbers_that_their_columns_cannot_hold_are_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(saved, "_plain", lambda frame: plain)
    for kind, values in (("uint8", [-1, True]), ("int64", ["x"])):
        plain = {"types": {"density": kind}, "columns": {"density": values}}
        saved.save(tmp_path / saved.NAME, "k", FOUND)
        assert saved.find(tmp_path / saved.NAME, "k") is None


FEW = {"a": [1, 2], "b": ["x", None]}


@pytest.mark.parametrize(
    ("columns", "types"),
    [
        (FEW, {"a": "int64", "b": "S30000000"}),
        (FEW, {"a": "int64", "b": "U7"}),
        (FEW, {"a": "datetime64[ns]", "b": "object"}),
        (FEW, {"a": "category", "b": "object"}),
        (FEW, {"a": "int64", "b": ["str"]}),
        (FEW, {"a": "int64"}),
        (FEW, ["int64", "str"]),
        ({"a": 1, "b": "x"}, {"a": "int64", "b": "str"}),
        ({"a": [1], "b": [1, 2]}, {"a": "int64", "b": "int64"}),
        ({"a": [[1], [2]]}, {"a": "object"}),
        ([[1]], {"0": "int64"}),
        # A column for each key, and a row for each key of each: a table of 1,000 times 1,000.
        (
            {f"c{n}": {f"k{n}": 1} for n in range(1_000)},
            {f"c{n}": "object" for n in range(1_000)},
        ),
        (
            {f"c{n}": [1] for n in range(saved.MOST_KEPT_COLUMNS + 1)},
            {f"c{n}": "int64" for n in range(saved.MOST_KEPT_COLUMNS + 1)},
        ),
    ],
)
def test_what_a_table_of_ours_cannot_be_is_damage(tmp_path, monkeypatch, columns, types):
    monkeypatch.setattr(saved, "_plain", lambda frame: {"types": types, "columns": columns})
    saved.save(tmp_path / saved.NAME, "k", FOUND)
    with bounded():
        assert saved.find(tmp_path / saved.NAME, "k") is None


def test_a_table_of_the_most_columns_is_one(tmp_path):
    table = pd.DataFrame({f"c{n}": [n] for n in range(saved.MOST_KEPT_COLUMNS)})
    saved.save(tmp_path / saved.NAME, "k", dataclasses.replace(FOUND, ranks=table))
    pd.testing.assert_frame_equal(saved.find(tmp_path / saved.NAME, "k").ranks, table)


def damaged(text):
    """Returns texts that are no whole file: cut, changed, of another shape."""
    yield text[: len(text) // 2]
    yield text.replace("0.3333", "0.4444")
    yield text.replace('"float64"', '"bool"')
    yield "[]"
    yield ""
    yield json.dumps({"key": "k"})


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    path = tmp_path / saved.NAME
    saved.save(path, "k", FOUND)
    whole = path.read_text()
    for text in damaged(whole):
        assert text != whole
        path.write_text(text)
        assert saved.find(path, "k") is None
    path.write_bytes(b"\xff\xfe\x00")
    assert saved.find(path, "k") is None


def test_a_file_of_a_newer_lttune_is_refused_and_stays(tmp_path):
    path = tmp_path / saved.NAME
    saved.save(path, "k", FOUND)
    text = path.read_text().replace(f'"schema": {FILES_SCHEMA}', f'"schema": {FILES_SCHEMA + 1}')
    blank = re.sub(r"(lttune-sha256:)[0-9a-f]{64}", r"\g<1>" + "0" * 64, text)
    path.write_bytes(seal(blank.encode()))
    with pytest.raises(RefusedError, match="was written by a newer lttune"):
        saved.find(path, "k")


def test_a_file_of_a_version_before_it_had_a_seal_is_read(tmp_path):
    path = tmp_path / saved.NAME
    saved.save(path, "k", FOUND, "a" * 64)
    values = json.loads(path.read_text())
    values = {n: v for n, v in values.items() if n not in ("schema", "seal", "sample")}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**values, "digest": digest}))
    found = saved.find(path, "k", "a" * 64)
    pd.testing.assert_frame_equal(found.strip, FOUND.strip)
    assert found.sample == ""
    path.write_text(json.dumps({**values, "ended": "changed", "digest": digest}))
    assert saved.find(path, "k") is None


@pytest.fixture
def counted(monkeypatch):
    """Replaces the estimate, which takes seconds, by one that is counted and known."""
    calls = []

    def estimate(points, responses, factors, **options):
        calls.append(len(responses))
        return ImportanceCurves(
            table=pd.DataFrame(), strip=STRIP, missing=pd.DataFrame(), ended="", estimates={}
        )

    monkeypatch.setattr(design_importance, "importance_by_density", estimate)
    monkeypatch.setattr(design_importance, "TABLE_DENSITIES", ())
    return calls


def test_the_same_networks_are_estimated_once(tmp_path, counted):
    study = design_study(tmp_path)
    first = design_importance.importance_tables(study)
    again = design_importance.importance_tables(study)
    assert len(counted) == 1
    pd.testing.assert_frame_equal(first.strip, again.strip)
    records = study.records.copy()
    records.loc[0, "test_accuracy"] += 1e-9
    design_importance.importance_tables(dataclasses.replace(study, records=records))
    assert len(counted) == 2


def test_those_of_another_study_are_estimated_anew(tmp_path, counted):
    study = design_study(tmp_path)
    study.info["study_id"] = "a" * 64
    design_importance.importance_tables(study)
    path = study.folder / saved.NAME
    assert saved.kept(path)["study_id"] == "a" * 64
    study.info["study_id"] = "b" * 64
    design_importance.importance_tables(study)
    assert len(counted) == 2
    assert saved.kept(path)["study_id"] == "b" * 64
    design_importance.importance_tables(study)
    assert len(counted) == 2


def test_other_factors_and_options_are_other_importances(tmp_path):
    study = design_study(tmp_path)
    points, factors = design_points.design_points(study), design_points.declared_factors(study)
    frames = (points, study.records[["trial", "test_accuracy"]])
    keys = [
        saved.key_of(*frames, factors),
        saved.key_of(*frames, factors[:1]),
        saved.key_of(*frames, factors, seed=1),
        saved.key_of(points.iloc[1:], frames[1], factors),
    ]
    assert len(set(keys)) == 4
    assert saved.key_of(*frames, factors) == keys[0]


@pytest.mark.slow
def test_a_second_report_has_the_same_bytes(tmp_path, monkeypatch):
    quick = partial(importance_by_density, draws=8, permutations=4, base=64)
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    monkeypatch.setattr(
        design_points, "IMPORTANCE_DENSITIES", design_points.IMPORTANCE_DENSITIES[:3:2]
    )
    folder = design_study(tmp_path).folder

    def files():
        report.write(folder)
        found = [folder / "report.html", *(folder / "figures").iterdir()]
        return {path.name: path.read_bytes() for path in found}

    first = files()
    monkeypatch.setattr(design_importance, "importance_by_density", None)
    assert files() == first
    assert "importance.svg" in first
    (folder / saved.NAME).write_text("{")
    monkeypatch.setattr(design_importance, "importance_by_density", quick)
    assert files() == first
