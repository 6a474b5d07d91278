"""A mistake in a claims file is one line that names claim, field, rule and value."""

import json

import pytest
from planted import claim, lr, question, tree

from analysis.claims import as_registry, read
from analysis.claims.file.reader import FILE
from lttune.__main__ import main
from lttune.errors import ConfigError, StorageError
from lttune.store.formats.plain_yaml import parse_yaml

ONE = f"claims: [{json.dumps(claim(why='No.', questions=[], setting=''))}]\ndefaults: " + (
    "{margin: 0.002, sesoi: 0.001, alpha: 0.05}\n"
)
WRONG = {
    "a field that does not exist": (
        claim(question(), margn=0.1),
        ["X", "field", "margn", "did you mean 'margin'"],
    ),
    "a question's": (claim(question(densitys=[0.1])), ["X", "questions[0]", "densitys"]),
    "a cell's": (
        claim(question(cells=[{"name": "a", "brunch": "trunk"}])),
        ["X", "cells[0]", "brunch", "did you mean 'branch'"],
    ),
    "a hyperparameter": (
        claim(question(cells=[{"name": "a", "at": {"train.learning": 1}}])),
        ["X", "cells 'a'", "train.learning"],
    ),
    "a hyperparameter's value": (
        claim(question(cells=[{"name": "a", "at": {"train.lr": -1}}])),
        ["X", "train.lr", "> 0", "-1"],
    ),
    "a form": (claim(question(form="better")), ["X", "form", "superiority", "'better'"]),
    "a role": (claim(question(), role="pilot"), ["X: role", "confirmatory", "'pilot'"]),
    "a density": (claim(question(densities=[13.5])), ["X", "densities", "(0, 1]", "13.5"]),
    "no density": (claim(question(densities=[])), ["X", "densities", "given"]),
    "both": (claim(question(survivors=[9])), ["X", "densities", "survivors"]),
    "a margin": (claim(question(margin=0)), ["X", "margin", "> 0", "got 0"]),
    "a ratio": (
        claim(question(measure="steps_ratio", margin=0.2)),
        ["X", "margin", "> 1", "got 0.2"],
    ),
    "replicates": (claim(question(), n=1), ["X: n", ">= 2", "got 1"]),
    "alpha": (claim(question(), alpha=0.9), ["X: alpha", "0.5", "0.9"]),
    "columns of a contrast": (
        claim(question(across="columns")),
        ["X", "form", "columns", "'superiority'"],
    ),
    "no columns of a trend": (claim(question(form="trend")), ["X", "columns", "'mean'"]),
    "two columns of a trend": (
        claim(question(form="trend", across="columns")),
        ["X", "3 columns or more", "'trend'"],
    ),
    "a best value": (
        claim(question(form="best_value", compare="columns", cells=[lr(1e-3), lr(2e-3)])),
        ["X", "value", "lr 0.001", "None"],
    ),
    "a rival": (
        claim(
            question(
                form="best_value",
                compare="columns",
                cells=[lr(1e-3), lr(2e-3)],
                value="lr 0.001",
                rivals=["lr 0.1"],
            )
        ),
        ["X", "rivals", "lr 0.002", "lr 0.1"],
    ),
    "a number": (claim(question(form="numeric")), ["X", "number", "nan"]),
    "names": (
        claim(question(cells=[lr(1e-3), lr(1e-3)])),
        ["X", "cells", "different names", "lr 0.001"],
    ),
    "factors": (
        claim(question(form="matters_more", measure="importance", factors=["a"])),
        ["X", "factors", "2 paths", "('a',)"],
    ),
    "a setting": (claim(question(), setting="plane"), ["X: setting", "plain", "'plane'"]),
    "neither questions nor why": (claim(setting="", questions=[]), ["X: questions", "why"]),
    "a conflict": (claim(question(), conflicts=["Y"]), ["X: conflicts", "'Y'"]),
    "what is presumed": (
        claim(question(), presumes="FC-ACC: gain"),
        ["X: presumes", "'FC-ACC: gain'"],
    ),
    "least steps of a question": (claim(question(least_steps=-1)), ["X", "least_steps", "-1"]),
    "densities of an importance": (
        claim(question(form="sensitive", measure="importance", factors=["a"])),
        ["X", "densities", "one at most"],
    ),
    "text": (claim(question(), text=""), ["X: text", "one line", "''"]),
    "tier": (claim(question(), tier="D"), ["X: tier", "A-", "'D'"]),
    "a setting's type": (claim(question(), setting=["s"]), ["X: setting", "text", "['s']"]),
    "conflicts": (claim(question(), conflicts=3), ["X: conflicts", "a list of claims", "3"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_mistakes(name):
    values, parts = WRONG[name]
    with pytest.raises(ConfigError) as error:
        as_registry(tree(values))
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_missing_field_is_named():
    values = claim(question())
    del values["family"]
    with pytest.raises(ConfigError, match=r"X: 'family' must be given"):
        as_registry(tree(values))
    with pytest.raises(ConfigError, match=r"X: questions\[0\]: 'name' must be given"):
        as_registry(tree(claim({"measure": "gain"}, form="superiority")))


def test_ids_are_used_once():
    with pytest.raises(ConfigError, match="X: id must be used once"):
        as_registry(tree(claim(question()), claim(question())))


def test_a_measure_that_is_no_name_is_told_without_writing_it_out():
    with pytest.raises(
        ConfigError, match=r"X: questions\[0\].measure must be one of .*; got \['accuracy'\]"
    ):
        as_registry(tree(claim(question(measure=["accuracy"]))))


def test_numbers_are_those_of_yaml_1_2_and_keys_stand_once(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text("schema: 1\nsettings: {s: {train.lr: 1e-4}}\n" + ONE)
    assert read(path).settings["s"].train.lr == 1e-4
    for none in ("claims: []\n", ""):
        path.write_text(f"schema: 1\n{none}")
        with pytest.raises(ConfigError, match="claims must be a list of one or more, got"):
            read(path)
    path.write_text("schema: 1\nversion: a\nversion: b\n" + ONE)
    with pytest.raises(ConfigError, match="'version' must be given once"):
        read(path)
    path.write_text("schema: [\n")
    with pytest.raises(ConfigError, match="no YAML"):
        read(path)
    path.write_text("schema: 2\n")
    with pytest.raises(ConfigError, match="schema must be 1, got 2"):
        read(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("claims: []", "schema must be 1, got None"),
        ("3", "claims file must be a mapping, got 'int'"),
        ("schema: 1\ndefaults: 3", "defaults must be a mapping, got 3"),
        ("schema: 1\nsettings: [s]", "settings must be a mapping, got ['s']"),
        ("version: 2026-13-01", "the claims file is no YAML: month must be in 1..12"),
        ("? [a]\n: 1", "the claims file is no YAML: unhashable type: 'list'"),
        ("a: 1\na: 2", "the claims file is no YAML: line 1: 'a' must be given once"),
        ("schema: 1\nversion: [a]", "version must be a text, a number or a date, got ['a']"),
        (
            "schema: 1\nversion: {a: b}",
            "version must be a text, a number or a date, got {'a': 'b'}",
        ),
        ("schema: 1\nversion: !!set {a}", "version must be a text, a number or a date, got {'a'}"),
        (
            "schema: 1\nversion: !!binary YQ==",
            "version must be a text, a number or a date, got b'a'",
        ),
    ],
)
def test_a_mistake_names_its_file(tmp_path, capsys, text, expected):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert main(["claims", "list", "--file", str(path)]) == 2
    assert capsys.readouterr().err == f"lttune: error: {path}: {expected}\n"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("version: 2026-01-01", "2026-01-01"),
        ("version: 2026-01-01 10:00:00", "2026-01-01 10:00:00"),
        ("version:", ""),
        ("", ""),
        ("version: 1.5", "1.5"),
        ("version: true", "True"),
        ("version: 'b'", "b"),
    ],
)
def test_a_version_is_whatever_yaml_makes_of_one_line(tmp_path, line, version):
    path = tmp_path / "mine.yaml"
    path.write_text(f"schema: 1\n{line}\n{ONE}")
    assert read(path).version == version


def test_the_hash_is_that_of_the_bytes():
    import hashlib

    assert read().sha256 == hashlib.sha256(FILE.read_bytes()).hexdigest()


def test_the_example_of_the_docs_is_a_claim():
    text = (FILE.parents[3] / "docs" / "claims.md").read_text()
    example = text.partition("```yaml\n")[2].partition("```")[0]
    shipped = FILE.read_text()
    whole = as_registry(parse_yaml((shipped + "\n" + example).encode()))
    assert whole.claims[-1].id == "MY-BATCH"
    assert whole.claims[-1].questions[0].form == "interaction"
