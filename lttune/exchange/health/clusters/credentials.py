"""What in a file that starts a cluster is a secret: by its form, its name, or in a URI.

More people read the file than the secret is meant for, its comments too. What is taken from
elsewhere is none: ``$VARIABLE``, ``$(cat FILE)``, ``valueFrom``, ``<placeholder>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lttune.config.passwords import masked_uri

_FORM = re.compile(
    r"-----BEGIN|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\b(?:gh[pousr]_|hf_|ya29\.|dapi)[\w-]{20,}"
    # Not the digest of an image or a package.
    r"|(?<!sha256:)\b[0-9a-f]{64}\b",
    re.IGNORECASE,
)
_UUID = re.compile(
    r"""(id["']?\s{0,3}[=:]\s{0,3}["']?|[/-])?\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b""",
    re.IGNORECASE,
)
"""A token of many services; what is called an id is none, nor a part of a path or a device."""
_NAME = (
    r"[\w-]{0,60}(?:password|passwd|passphrase|token|secret"
    r"|(?:secret|access|api|account)[_-]?key|connection[_-]string)"
)
"""Bounded, as all that follows: a long text is looked through in time that follows its length."""
_DEFAULT = r"\{\w{1,60}:?[-=][^$}]"
"""After a dollar: a variable with a value that is written here."""
_ELSEWHERE = rf"\$(?!{_DEFAULT})|[`<~]|\.\.\.|…|\*\*\*"
_VALUE = rf"""(?!["']?(?:{_ELSEWHERE}))["']?[^\s"';&|)=]"""
_GIVEN = re.compile(
    rf"(?<![\w./~$-])({_NAME})(?:=|\s=\s){_VALUE}|(?<!\S)(--{_NAME})\s(?!-){_VALUE}",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"(?<![\w./~-])([A-Z][A-Z0-9_]{0,60}(?:PASSWORD|TOKEN|SECRET|_KEY|CONNECTION_STRING))"
    rf"""["']?:\s{{1,3}}{_VALUE}"""
)
"""Of an environment that is a text here, and YAML or JSON of its own: runtimeEnvYAML."""
_NAMED = re.compile(_NAME, re.IGNORECASE)
_LITERAL = re.compile(rf"(?!{_ELSEWHERE})\S")
_LOGIN = re.compile(
    rf"""[A-Za-z][\w+.-]{{0,30}}://[^\s:@/'"]{{0,200}}:(?!\$(?!{_DEFAULT})|[`<]|\d+/)"""
    r"""[^\s@'"]{1,200}@[^\s'"]*"""
)
"""A URI with a password; digits and a slash after the colon are a port and a path."""
_ANY = "a key or token is written in the file"


def secret_in(config: Mapping[str, Any], texts: Sequence[str], raw: str) -> str:
    """Returns what is a secret in a file, empty if nothing is; the secret itself is no part of it.

    Args:
        config: what a YAML file says.
        texts: its texts, as whoever runs it reads them.
        raw: the file as it is written, comments too.
    """
    found = (_in_pair(*pair) for pair in _pairs(config))
    told = next(filter(None, (*found, *map(_in_text, (*texts, raw)))), "")
    # Of a text alone it is not known what it is called.
    return told or (_ANY if any(not one[1] for one in _UUID.finditer(raw)) else "")


def _in_text(text: str) -> str:
    if given := _GIVEN.search(text) or _VARIABLE.search(text):
        name = next(filter(None, given.groups()))
        return f"the value of {name} is written in the file"
    if login := _LOGIN.search(text):
        return f"a URI's password is written in the file: {masked_uri(login[0])}"
    return _ANY if _FORM.search(text) else ""


def _in_pair(name: str, value: str) -> str:
    found = _NAMED.fullmatch(name) and _LITERAL.match(value)
    return f"the value of {name} is written in the file" if found else ""


def _pairs(tree: Any) -> Iterator[tuple[str, str]]:
    """Yields the fields of a tree that are texts, and pods' variables, each with its value."""
    waiting, seen = [tree], set[int]()
    while waiting:
        value = waiting.pop()
        if not isinstance(value, Mapping | list) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list):
            waiting += value
            continue
        waiting += value.values()
        named = [*value.items(), (value.get("name"), value.get("value"))]
        yield from ((str(name), one) for name, one in named if isinstance(one, str))
