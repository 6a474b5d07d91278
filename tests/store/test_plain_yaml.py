"""YAML of anybody's: plain values, once each, in room that follows the bytes."""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import yaml
from bounded import bounded

from lttune.store.formats import plain_yaml
from lttune.store.formats.plain_yaml import parse_yaml


def nested(depth: int, width: int = 10) -> bytes:
    """Returns lines of which each stands for ``width`` times the one before."""
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: [x, 2.5, null, true]\nc: {d: 2026-01-02}",
        "base: &b {x: 1, y: 2}\nmore: {<<: *b, y: 3}\nlist: [*b, *b]",
        "a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: [*a, *b], z: 3}",
        "",
        "- 1\n- [2]",
    ],
)
def test_values_are_those_of_the_safe_loader(text):
    assert parse_yaml(text.encode()) == yaml.safe_load(text)


def test_a_number_with_an_exponent_is_one():
    assert parse_yaml(b"a: 1e-3\nb: 1e\nc: 'e1'") == {"a": 1e-3, "b": "1e", "c": "e1"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2", "line 1: 'a' must be given once"),
        ("x: {b: 1, c: 2, b: 3}", "line 1: 'b' must be given once"),
        ("x: !!bool foo", "foo"),
        ("x: !!timestamp foo", "NoneType"),
        ("x: !!int ''", "string index out of range"),
        ("x: !!python/name:os.getcwd", "could not determine a constructor"),
        ("x: 2026-13-01", "month must be in 1..12"),
        ("? [a]\n: 1", "unhashable type: 'list'"),
        ("x: &a [*a]", "a part of itself"),
        ("x: &a {y: *a}", "a part of itself"),
        ("x: [", "did not find"),
    ],
)
def test_what_is_no_yaml_is_a_line(text, told):
    with pytest.raises(ValueError, match=re.escape(told)) as error:
        parse_yaml(text.encode())
    assert "\n" not in str(error.value)


def test_what_is_merged_may_be_given_again_but_not_twice():
    text = "a: &a {x: 1}\nb:\n  <<: &m {<<: *a, x: 2}\nc: *m"
    assert parse_yaml(text.encode()) == yaml.safe_load(text)
    assert parse_yaml(b"a: &a {x: 1}\nb: {<<: *a, x: 2}")["b"] == {"x": 2}
    with pytest.raises(ValueError, match="'x' must be given once"):
        parse_yaml(b"a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}")


def test_a_build_without_libyaml_says_the_same(monkeypatch):
    class Plain(yaml.SafeLoader):
        yaml_constructors = plain_yaml._Loader.yaml_constructors

    monkeypatch.setattr(plain_yaml, "_Loader", Plain)
    assert parse_yaml(b"a: 1e-3") == {"a": 1e-3}
    for none in (b"a: \x00", b"\xff\xfe\x41", b"x: !!bool foo"):
        with pytest.raises(ValueError, match=r".+"):
            parse_yaml(none)


@pytest.mark.parametrize("form", ["lists", "merges"])
def test_aliases_stand_for_no_more_than_there_is_room_for(monkeypatch, form):
    text = nested(3)
    if form == "merges":
        text = b"a: &a {x: 1, y: 2}\nb: &b {p: *a, q: *a}\nc: {<<: *b, r: [*b, *b, *b, *b]}"
    whole = parse_yaml(text)
    assert whole == yaml.safe_load(text)
    monkeypatch.setattr(plain_yaml, "most_memory", lambda size: 20 * plain_yaml.WRITTEN_BYTES)
    with pytest.raises(ValueError, match="its aliases stand for more than 20 values"):
        parse_yaml(text)


def test_nothing_is_made_of_what_stands_for_too_much():
    # Eight lines that stand for 10^8 values: counted, never written out.
    with bounded(), pytest.raises(ValueError, match="stand for more than 1,048,576 values"):
        parse_yaml(nested(8))


def test_time_follows_the_number_of_keys():
    text = "\n".join(f"k{n}: 1" for n in range(40_000)).encode()

    def cpu(read: Callable[[bytes], Any]) -> float:
        began = time.process_time()
        assert len(read(text)) == 40_000
        return time.process_time() - began

    # Each key against all others took thirty times as long as the loader by itself.
    assert cpu(parse_yaml) < 10 * cpu(partial(yaml.load, Loader=plain_yaml._Safe))
