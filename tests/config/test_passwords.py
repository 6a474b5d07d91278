"""Secrets are hidden in whatever form they come, and nothing else is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lttune.config.passwords import HARMLESS, masked, masked_command, masked_uri

CANARY = "s3cr3tCANARY"

FORMS = (
    f"http://{CANARY}@host:5000",
    f"https://me:{CANARY}@host",
    f"http://{CANARY}:x@host/path",
    f"postgresql://me:a/{CANARY}@host/db",
    f"postgresql://me:a@{CANARY}@host/db",
    f"postgresql://me:a?{CANARY}@host/db",
    f"postgresql://me:a#{CANARY}@host/db",
    f"http://host?access_token={CANARY}",
    f"http://host/path?a=b&api_key={CANARY}&c=d",
    f"mysql://host/db?ssl_key={CANARY};timeout=5",
    f"http://host?{CANARY}",
    f"http://host#{CANARY}",
    f"http://host/#/experiments/1?o={CANARY}",
    f"mssql+pyodbc:///?odbc_connect=DRIVER=x;UID=me;PWD={CANARY}",
    f"sqlite:///x.db?key={CANARY}",
    f"databricks://{CANARY}@profile",
)
"""A URI of each form that hides something."""


@pytest.mark.parametrize("uri", FORMS)
def test_no_form_of_a_uri_shows_its_secret(uri):
    assert CANARY not in masked_uri(uri)
    assert "***" in masked_uri(uri)
    assert CANARY not in masked(f"cannot open {uri}, or so")
    assert CANARY not in masked(f"HTTPConnection(url='{uri}'): no answer")
    for words in (["--tracking-uri", uri], [f"--tracking-uri={uri}"], [f"say '{uri}'"]):
        assert CANARY not in masked_command(["study.py", *words])


@pytest.mark.parametrize("uri", FORMS)
def test_what_is_known_to_be_secret_is_hidden_wherever_it_is_repeated(uri):
    for text in (
        f"Port could not be cast to integer value as '{CANARY}'",
        f'could not translate host name "{CANARY}"',
        f"Max retries exceeded with url: /?x={CANARY}/api",
        f"no {CANARY[:5]} {CANARY[5:]}, wrapped",
    ):
        assert CANARY not in masked(text, uri).replace(" ", "")
        assert CANARY not in masked(text, "study.py", f"--tracking-uri={uri}").replace(" ", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg2://me:p@ss:/w@host/db", "postgresql+psycopg2://***@host/db"),
        ("at https://me:x@host/a failed", "at https://***@host/a failed"),
        ("mysql://host/db?password=x&charset=utf8", "mysql://host/db?password=***&charset=utf8"),
        ("mysql://host/db?Timeout=5&x=1", "mysql://host/db?Timeout=5&x=***"),
        ("http://host:5000/a", "http://host:5000/a"),
        ("http://host:5000/#/experiments/7/runs", "http://host:5000/#/experiments/7/runs"),
        ("sqlite:////home/me@work/a#b/mlflow.db", "sqlite:////home/me@work/a#b/mlflow.db"),
        ("PWD=x; token: y", "PWD=***; token: ***"),
        ('{"api_key": "x y", "port": 5}', '{"api_key": ***, "port": 5}'),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        (
            "at http://h/?access_token=x: the server is away",
            "at http://h/?access_token=***: the server is away",
        ),
        ("'http://h/?key=x', or 'http://h/#y'.", "'http://h/?key=***', or 'http://h/#***'."),
        ("address must be auto, got 'me:pw@h:6379'", "address must be auto, got '***@h:6379'"),
        ("Unrecognized options: --adress=me:p=w@h:1", "Unrecognized options: --adress=***@h:1"),
        ("no answer at pw@[::1]:6379", "no answer at ***@[::1]:6379"),
        ("write to me@host.org: it helps", "write to me@host.org: it helps"),
        ("/home/a:b@c/d.npz is gone", "/home/a:b@c/d.npz is gone"),
        ("./a:b@c and ~/a:b@c", "./a:b@c and ~/a:b@c"),
        ("password authentication failed", "password authentication failed"),
        ("lr=0.01 replicate=0", "lr=0.01 replicate=0"),
        ("", ""),
    ],
)
def test_masked(text, expected):
    assert masked(text) == expected
    assert masked(expected) == expected


def test_a_word_that_is_no_uri_keeps_its_meaning_for_the_shell():
    words = ["python", "a study.py", "--name", "it's", "--tracking-uri", "http://host"]
    assert masked_command(words) == (
        "python 'a study.py' --name 'it'\"'\"'s' --tracking-uri http://host"
    )


def test_a_uri_with_a_space_or_a_quote_is_hidden_to_the_end_of_its_word():
    for secret in (f"a {CANARY}", f"a'{CANARY}", f'a"{CANARY}'):
        assert CANARY not in masked_command([f"--tracking-uri=http://me:{secret}@host"])
        assert masked_uri(f"http://me:{secret}@host") == "http://***@host"


def test_what_was_meant_to_be_a_uri_hides_its_user():
    assert masked_uri(f"{CANARY}@host:5000") == "***@host:5000"
    assert masked_uri("./mlruns") == "./mlruns"
    # Also one that stands in the name of its flag.
    assert masked_command(["--tracking-uri=uri@host:5000"]) == "'--tracking-uri=***@host:5000'"


def test_no_harmless_name_is_one_of_a_secret():
    assert {name for name in HARMLESS if masked(f"{name}=x") != f"{name}=x"} == set()
    assert len(HARMLESS) < 10


@given(st.text(alphabet="abZ09:/?#@&=;%. '", max_size=20), st.text(alphabet="xyz", min_size=4))
def test_whatever_stands_around_it_a_secret_before_the_host_is_hidden(around, secret):
    uri = f"http://{around}{secret}{around}@host"
    assert secret not in masked_uri(uri).replace("http://", "").removesuffix("@host")


@pytest.mark.parametrize("form", ["me:{}@h:1", "{}@h:1", "me:a {}@h", "--address=me:{}@h"])
def test_the_user_of_an_address_is_hidden_wherever_it_is_repeated(form):
    word = form.format(CANARY)
    for text in (f"no {CANARY} here", f"got {word!r}", f"host '{word}' is away", word):
        assert CANARY not in masked(text, "--address", word)
        assert CANARY not in masked_command([word]) or " " in word


LONG = ["x" * 50_000, "a@" * 25_000, "a:" * 25_000, "a://b" + ":" * 50_000, "token" * 10_000]


@pytest.mark.parametrize("text", [*LONG, "a://" * 12_000, "p=" * 25_000, "token=" + "." * 50_000])
def test_a_long_text_takes_no_longer_than_its_length(text):
    began = time.thread_time()
    masked(text)
    assert time.thread_time() - began < 0.5
