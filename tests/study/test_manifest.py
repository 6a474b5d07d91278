"""What ``study.json`` holds, and which study may go on in its folder."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from digits_study import LOTTERY, SMOKE, STUDY

from lttune.config.fields import differences
from lttune.data import load
from lttune.errors import RefusedError, StorageError
from lttune.records.objectives import ObjectiveConfig
from lttune.records.own import OwnCode
from lttune.store.plain_json import read_json, write_json
from lttune.store.sealed import write_object
from lttune.study.manifest import continued, earlier, filed, fixed, refuse_other, sheet
from lttune.study.settings import FREE, StudyConfig


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def words(error: pytest.ExceptionInfo[BaseException]) -> str:
    return str(error.value)


def test_a_study_from_before_a_setting_is_continued_at_its_default(tmp_path, digits):
    old = sheet(SMOKE, STUDY, digits, "numerics")
    del old["config"]["asha"]
    write_json(tmp_path / "study.json", old)
    refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "numerics"))
    other = dataclasses.replace(SMOKE, asha=True)
    with pytest.raises(RefusedError, match="asha: False -> True"):
        refuse_other(tmp_path, sheet(other, STUDY, digits, "numerics"))


def test_a_study_from_before_a_field_of_its_objective_is_continued(tmp_path, digits):
    old = sheet(SMOKE, STUDY, digits, "numerics")
    del old["config"]["objective"]["direction"]
    write_json(tmp_path / "study.json", old)
    refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "numerics"))
    other = dataclasses.replace(SMOKE, objective=ObjectiveConfig(density=0.6))
    with pytest.raises(RefusedError, match=r"objective\.density: 0\.5 -> 0\.6"):
        refuse_other(tmp_path, sheet(other, STUDY, digits, "numerics"))


def test_differences_are_sorted_and_name_both_values():
    old, new = {"b": 1, "a": 1, "same": 0}, {"b": 2, "c": "x", "same": 0}
    assert list(differences(old, new).items()) == [
        ("a", (1, None)),
        ("b", (1, 2)),
        ("c", (None, "x")),
    ]


def config_with(**changes: Any) -> StudyConfig:
    return StudyConfig(**{**{f: getattr(SMOKE, f) for f in SMOKE.__dataclass_fields__}, **changes})


def written(folder: Path, digits) -> Path:
    write_json(folder / "study.json", sheet(SMOKE, STUDY, digits, "torch/cpu"))
    return folder


def test_another_numerics_class_is_refused_not_mixed(tmp_path, digits):
    with pytest.raises(RefusedError, match="numerics: 'torch/cpu' -> 'sparse/cpu'"):
        refuse_other(written(tmp_path, digits), sheet(SMOKE, STUDY, digits, "sparse/cpu"))


def test_a_sheet_of_a_version_without_runs_is_of_the_first(digits):
    old = sheet(SMOKE, STUDY, digits, "numerics")
    new = {**old, "command": "again", "created": "2026-11-29T00:00:00+00:00"}
    runs = continued(old, new)["runs"]
    assert [run["command"] for run in runs] == [old["command"], "again"]
    assert [run["started"] for run in runs] == [old["created"], new["created"]]


def test_a_study_that_goes_on_keeps_its_origin_and_lists_its_runs(digits):
    first = continued(None, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    more = sheet(config_with(trials=9), STUDY, digits, "torch/cpu") | {"command": "again"}
    again = continued(first, more)
    assert again["command"] == first["command"] != "again"
    assert again["created"] == first["created"]
    assert again["config"]["trials"] == 9
    assert [run["command"] for run in again["runs"]] == [first["command"], "again"]


def test_a_run_that_trains_nothing_and_is_as_the_one_before_is_none(tmp_path, digits):
    first = continued(None, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    again = continued(first, {**sheet(SMOKE, STUDY, digits, "torch/cpu"), "command": "again"})
    assert len(filed(tmp_path, again, STUDY, is_over=False)["runs"]) == 2
    assert filed(tmp_path, again, STUDY, is_over=True) == first
    assert filed(tmp_path, first, STUDY, is_over=True) == first
    assert earlier(tmp_path) == first
    assert (tmp_path / STUDY.file.name).read_bytes() == STUDY.file.read_bytes()
    newer = {**sheet(SMOKE, STUDY, digits, "torch/cpu"), "code": {"version": "9"}}
    assert len(filed(tmp_path, continued(first, newer), STUDY, is_over=True)["runs"]) == 2


def test_a_study_can_be_continued_as_it_is(tmp_path, digits):
    refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    refuse_other(written(tmp_path, digits), sheet(SMOKE, STUDY, digits, "torch/cpu"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("out", Path("elsewhere")),
        ("trials", 99),
        ("replicates", 9),
        ("phases", ("anchor",)),
        ("tracking_uri", "sqlite:///other.db"),
        ("address", "auto"),
        ("max_concurrent", 1),
    ],
)
def test_a_study_can_be_continued_with_other_means_and_counts(tmp_path, digits, field, value):
    assert field in FREE
    refuse_other(
        written(tmp_path, digits), sheet(config_with(**{field: value}), STUDY, digits, "torch/cpu")
    )


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"lottery": LOTTERY.override({"train.lr": 0.5})}, "lottery.train.lr: 0.01 -> 0.5"),
        ({"lottery": LOTTERY.override({"levels": 3})}, "lottery.levels: 2 -> 3"),
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"sampler": "gp"}, "sampler: 'tpe' -> 'gp'"),
        ({"controls": ("reinit",)}, "controls: ['reinit', 'random'] -> ['reinit']"),
        ({"search_replicates": 2}, "search_replicates: 1 -> 2"),
        ({"objective": ObjectiveConfig(density=0.4)}, "objective.density: 0.5 -> 0.4"),
        ({"scale": "paper"}, "scale: 'smoke' -> 'paper'"),
        ({"device": "cuda"}, "device: 'cpu' -> 'cuda'"),
    ],
)
def test_a_study_of_another_configuration_is_refused_by_field(
    tmp_path, digits, changes, difference
):
    written(tmp_path, digits)
    with pytest.raises(RefusedError) as error:
        refuse_other(tmp_path, sheet(config_with(**changes), STUDY, digits, "torch/cpu"))
    assert f"({difference});" in words(error)
    assert "--name" in words(error)
    assert error.value.exit_code == 3


def test_a_study_of_another_space_or_other_data_is_refused(tmp_path, digits):
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")
    write_json(tmp_path / "study.json", values)
    for part, name in (("space", "train.lr"), ("dataset", "digest")):
        other = json.loads(json.dumps(values))
        other[part][name] = "other"
        with pytest.raises(RefusedError, match=r"space\.train\.lr: |dataset: "):
            refuse_other(tmp_path, other)


def test_what_is_not_the_studys_identity_may_change(digits):
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")
    other = {**values, "command": "x", "created": "x", "machine": {}, "code": {}, "packages": {}}
    assert fixed(values) == fixed(other)


def test_code_that_only_some_phases_come_to_lets_the_others_go_on(tmp_path, digits):
    whole, changed = (
        sheet(
            SMOKE,
            STUDY,
            digits,
            "torch/cpu",
            [OwnCode(field="controls", name="./m.py:f", digest=one * 64)],
        )
        for one in "12"
    )
    part = sheet(SMOKE, STUDY, digits, "torch/cpu")
    first = continued(None, part)
    assert "own" not in first
    write_object(tmp_path / "study.json", first)
    refuse_other(tmp_path, whole)
    second = continued(first, whole)
    write_object(tmp_path / "study.json", second)
    refuse_other(tmp_path, part)
    # Its networks are there still.
    third = continued(second, part)
    assert third["own"] == second["own"] == whole["own"]
    write_object(tmp_path / "study.json", third)
    with pytest.raises(RefusedError, match=r"\(source of \./m\.py:f: '1{64}' -> '2{64}'\)"):
        refuse_other(tmp_path, changed)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is damaged: Expecting value"),
        ("{", "is damaged: Expecting property name"),
        ("[]", "must hold a JSON object"),
        ("{}", "lacks config.name, lottery, space, dataset.digest, command, created, code"),
        ("\xff", "is damaged: 'utf-8' codec can't decode"),
        ('{"config": 1}', "lacks config.name, lottery"),
    ],
)
def test_a_damaged_sheet_is_named(tmp_path, digits, text, told):
    (tmp_path / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StorageError, match=rf"study\.json:? {told}") as error:
        refuse_other(tmp_path, sheet(SMOKE, STUDY, digits, "torch/cpu"))
    assert error.value.exit_code == 74


def test_a_sheet_is_plain_and_complete(tmp_path, digits):
    write_json(tmp_path / "x.json", sheet(SMOKE, STUDY, digits, "torch/cpu"))
    values = read_json(tmp_path / "x.json")
    assert values["dataset"]["digest"] == digits.digest()
    assert [values["dataset"][part] for part in ("train", "validation", "test")] == [1200, 237, 360]
    assert values["lottery"]["train"]["lr"] == 0.01
    assert values["packages"]["ray"]
    assert values["machine"]["cores"] >= 1


def test_a_sheet_holds_no_password(digits, monkeypatch):
    uri = "postgresql://me:hunter2@db/mlflow"
    monkeypatch.setattr("sys.argv", ["study.py", "--tracking-uri", uri])
    values = sheet(config_with(tracking_uri=uri), STUDY, digits, "torch/cpu")
    assert "hunter2" not in json.dumps(values)
    assert values["config"]["tracking_uri"] == "postgresql://***@db/mlflow"


@pytest.mark.parametrize(
    "uri", ["http://hunter2@h", "http://h?key=hunter2", "http://m:a'/hunter2@h"]
)
@pytest.mark.parametrize("joined", [True, False])
def test_no_form_of_a_secret_is_in_a_sheet(digits, monkeypatch, uri, joined):
    words = [f"--tracking-uri={uri}"] if joined else ["--tracking-uri", uri]
    monkeypatch.setattr("sys.argv", ["study.py", *words, "--name", "a b"])
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")
    assert "hunter2" not in json.dumps(values)
    *_, shown, name, value = shlex.split(values["command"])
    assert "***" in shown
    assert (name, value) == ("--name", "a b")


def test_what_an_older_version_showed_is_hidden_when_a_study_goes_on(digits):
    old = sheet(SMOKE, STUDY, digits, "numerics")
    shown = {**old, "command": "python x.py --tracking-uri http://hunter2@host"}
    for before in (shown, continued(None, shown)):
        assert "hunter2" not in json.dumps(continued(before, old))


def test_a_sheet_describes_the_form_of_its_dataset(digits):
    values = sheet(SMOKE, STUDY, digits, "torch/cpu")["dataset"]
    assert (values["shape"], values["classes"]) == ([8, 8], 10)
    turned = LOTTERY.override({"data.task": "rotation"})
    values = sheet(config_with(lottery=turned), STUDY, digits, "torch/cpu")["dataset"]
    assert values["classes"] == 4


def test_pictures_of_ones_own_are_known_by_their_code_unless_their_digest_is_told(digits):
    values = sheet(SMOKE, STUDY, digits, "numerics")
    own = [{"field": "data.name", "name": n, "source": n} for n in ("digits", "./p.py:f")]
    found = fixed({**values, "own": own})
    assert found["source of ./p.py:f"] == "./p.py:f"
    assert "source of digits" not in found


def test_the_file_of_a_study_is_named_as_it_is_reached_from_here(cwd):
    for place, name in ((cwd, "mine.py"), (cwd / "a" / "b", "a/b/mine.py")):
        assert dataclasses.replace(STUDY, file=place / "mine.py").script == name
    elsewhere = dataclasses.replace(STUDY, file=cwd.parent / "far" / "mine.py")
    assert elsewhere.script == "far/mine.py"
    assert dataclasses.replace(STUDY, file=None).script == ""
