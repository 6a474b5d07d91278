"""Secrets are not shown: not on the screen, not in files, not in MLflow.

Secret is whatever a URI says of its user, a token alone too, every value of its query that is not
on a short list, and its fragment; and the user of an address without a scheme. What is not known to
be harmless is hidden: a secret that is shown cannot be taken back.
"""

from __future__ import annotations

import re
import shlex
import urllib.parse
from collections.abc import Iterable, Iterator

HARMLESS = frozenset(
    {
        *("charset", "connect_timeout", "driver", "sslmode", "timeout"),
        *("endpoint_override", "region", "scheme"),
    }
)
"""Names of a URI's query whose values are shown: they say how a database or an object store is
spoken to, and people need them to see why it does not answer. None of them says who speaks."""

_HIDDEN = "***"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
"""Bounded, as all that follows: a long text is masked in a time that grows with its length."""
_URI = re.compile(rf"{_SCHEME.pattern}\S+")
_AFTER = ":;,.!)]`'\""
"""Marks of a sentence that a URI may stand in: at its end they are none of it."""
_WORD = re.compile(r"[^\s'\"`]+")
_PORT = re.compile(r"(\[[^\]]*\]|[\w.-]+):\d{1,5}\b")
_FLAG = re.compile(r"--[\w.-]+=")
_PAGE = re.compile(r"/experiments/\d+(/runs)?")
"""Fragments of MLflow's own pages."""
_NAME = r"(?i:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)[\w-]{0,30}"
_NAMED = re.compile(rf"""({_NAME}["']?\s{{0,3}}[=:]\s{{0,3}})("[^"]*"|'[^']*'|[^\s"'&;,]+)""")
_LOGIN = re.compile(r"(?i)\b(authorization\W{1,4}\w+\s+)[^\s'\"]+")


def masked(text: str, *known: str) -> str:
    """Returns a text whose secrets are shown as ***.

    Args:
        text: any text: each URI in it, which ends at a space, and what it calls a password or so.
        known: words that may hold a URI, such as those of a command: whatever is secret in them is
            hidden where the text repeats it, in whole or in part, wrapped at the end of a line too.
    """
    text = _WORD.sub(lambda found: _masked_login(found[0]), text)
    text = _URI.sub(lambda found: _masked_in_text(found[0]), text)
    text = _LOGIN.sub(rf"\1{_HIDDEN}", _NAMED.sub(_masked_named, text))
    for secret in sorted({one for word in known for one in _secrets(word)}, key=len, reverse=True):
        wrapped = r"\s?".join(map(re.escape, secret))
        text = re.sub(rf"(?<![A-Za-z0-9]){wrapped}(?![A-Za-z0-9])", _HIDDEN, text)
    return text


def masked_uri(uri: str) -> str:
    """Returns a URI, whatever characters it is made of, with its secrets shown as ***."""
    return "".join(_HIDDEN if text and is_secret else text for text, is_secret in _parts(uri))


def _masked_named(found: re.Match[str]) -> str:
    value = found[2]
    after = "" if value[0] in "\"'" else value[len(value.rstrip(_AFTER)) :]
    return f"{found[1]}{_HIDDEN}{after}"


def _masked_in_text(uri: str) -> str:
    whole = uri.rstrip(_AFTER)
    return masked_uri(whole) + uri[len(whole) :]


def _masked_login(word: str) -> str:
    login = _login(word)
    start = word.rfind(f"{login}@")
    return f"{word[:start]}{_HIDDEN}{word[start + len(login) :]}" if login else word


def _login(word: str) -> str:
    """Returns the user of an address without a scheme, ``USER:PASSWORD@`` or ``@HOST:PORT``.

    Empty where a word has none, is a URI, or begins as a path.
    """
    flag = _FLAG.match(word)
    address = word[flag.end() :] if flag else word
    user, at, place = address.rpartition("@")
    is_one = at and "://" not in address and address[0] not in "/.~"
    return user if is_one and (":" in user or _PORT.match(place)) else ""


def masked_command(words: Iterable[str]) -> str:
    """Returns the words of a command as a shell takes them, with their secrets shown as ***."""
    return shlex.join(_masked_word(word) for word in words)


def _masked_word(word: str) -> str:
    before, uri = _uri_of(word)
    return before + masked_uri(uri) if uri else masked(word)


def _uri_of(word: str) -> tuple[str, str]:
    """Returns a word up to the URI in it, which reaches to its end, and the URI, or nothing."""
    found = _SCHEME.search(word)
    return (word, "") if found is None else (word[: found.start()], word[found.start() :])


def _secrets(word: str) -> set[str]:
    """Returns what is secret in a word, and the parts that a library may take it apart into."""
    whole = [text for text, is_secret in _parts(_uri_of(word)[1]) if is_secret] + [_login(word)]
    pieces = {piece for text in whole for piece in (text, *re.split(r"[\s:/@?#&;=]+", text))}
    decoded = {urllib.parse.unquote(piece) for piece in pieces}
    return {*pieces, *decoded, *(urllib.parse.quote(piece, safe="") for piece in decoded)} - {""}


def _parts(uri: str) -> Iterator[tuple[str, bool]]:
    """Yields the parts of a URI in their order, each with whether it is secret."""
    scheme, mark, rest = uri.partition("://")
    if not mark:
        scheme, rest = "", uri  # What was meant to be one: its user is told by the @ alone.
    yield scheme + mark, False
    is_file = rest.startswith("/") and scheme.partition("+")[0].lower() in ("file", "sqlite")
    fragment = ""
    if not is_file:
        # A password that is not quoted may hold each of the other marks: the last @ ends it.
        user, at, rest = rest.rpartition("@")
        yield user, True
        yield at, False
        rest, _, fragment = rest.partition("#")
    place, question, query = rest.partition("?")
    yield place + question, False
    for pair in re.split("([&;])", query):
        name, equals, value = pair.partition("=")
        if equals:
            yield name + equals, False
            yield value, name.lower() not in HARMLESS
        else:
            yield pair, pair not in ("&", ";")
    if fragment:
        yield "#", False
        yield fragment, _PAGE.fullmatch(fragment) is None
