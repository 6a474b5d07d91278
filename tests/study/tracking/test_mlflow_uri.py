"""Tracking URIs: where one leads, and which are refused before anything starts."""

from __future__ import annotations

import pytest

from lttune.config.passwords import masked_uri
from lttune.errors import ConfigError
from lttune.study.settings import StudyConfig
from lttune.study.tracking.uri import SCHEMES, database_server, require_uri, resolve

MALFORMED = {
    "./mlruns": "a URI of sqlite, ",
    "garbage": "a URI of sqlite, ",
    "file:///mlruns": "a URI of sqlite, ",
    "ftp://host/x": "a URI of sqlite, ",
    "http+x://host": "http://HOST:PORT",
    "http": "http://HOST:PORT",
    "http:localhost:5000": "a URI of sqlite, ",
    "http://": "http://HOST:PORT",
    "http:///path": "http://HOST:PORT",
    "http://:5000": "http://HOST:PORT",
    "http://localhost:notaport": "http://HOST:PORT",
    "http://localhost:0": "http://HOST:PORT",
    "http://localhost:70000": "http://HOST:PORT",
    "http://local host:5000": "http://HOST:PORT",
    "http://host..org": "http://HOST:PORT",
    "http://[::1:5000": "http://HOST:PORT",
    "https://host\n": "https://HOST:PORT",
    "sqlite": "sqlite:///PATH, with three slashes",
    "sqlite://": "sqlite:///PATH, with three slashes",
    "sqlite://x.db": "sqlite:///PATH, with three slashes",
    "sqlite:///": "sqlite:///PATH, with three slashes",
    "sqlite:///results/": "sqlite:///PATH, with three slashes",
    "sqlite:////?timeout=5": "sqlite:///PATH, with three slashes",
    "sqlite:/x.db": "a URI of sqlite, ",
    "sqlite:///:memory:": "sqlite:///PATH, with three slashes and the path of a file",
    "sqlite:///:memory:?cache=shared": "sqlite:///PATH, with three slashes",
    "sqlite:///file::memory:?uri=true": "sqlite:///PATH, with three slashes",
    "sqlite:///file:x?mode=memory&uri=true": "sqlite:///PATH, with three slashes",
    "sqlite:///x?timeout=5&mode=memory": "sqlite:///PATH, with three slashes",
    "sqlite:///mlflow.db ": "sqlite:///PATH, with three slashes",
    "sqlite:/// ": "sqlite:///PATH, with three slashes",
    " sqlite:///mlflow.db": "a URI of sqlite, ",
    "postgresql": "a URI of sqlite, ",
    "postgresql://": "a URI of sqlite, ",
    "postgresql://host:port/db": "a URI of sqlite, ",
    "postgresql://host:70000/db": "a URI of sqlite, ",
    "postgresql://host:0/db": "a URI of sqlite, ",
    "mysql://host:10000000000000000/db": "a URI of sqlite, ",
    "postgresql://my host/db": "a URI of sqlite, ",
    "mysql://host/a\u00a0b": "a URI of sqlite, ",
    "databricks://a b": "databricks or databricks://PROFILE, without white space",
    "databricks://profile\t": "databricks or databricks://PROFILE, without white space",
    "https://host/a b": "https://HOST:PORT, without white space",
    "": "a URI of sqlite, ",
}
"""What is no tracking URI -> beginning of the rule that it breaks."""

SOUND = (
    "sqlite:///mlflow.db",
    "sqlite:////data/my runs/mlflow.db?timeout=5",
    "sqlite+pysqlite:///mlflow.db",
    "sqlite:///./file:memory:.db",
    "postgresql+psycopg2://me:p@ss:/w@host/db",
    "postgresql://me:x@host:5432/db?sslmode=require",
    "postgresql:///db?host=/var/run/postgresql",
    "mysql+pymysql://host/db",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx",
    "http://host",
    "http://localhost:5000/",
    "http://TOKEN@host:5000/prefix?access_token=x",
    "https://me:x@[::1]:5000",
    "databricks",
    "databricks://profile",
)


@pytest.mark.parametrize(("uri", "rule"), MALFORMED.items())
def test_a_malformed_uri_is_refused_with_the_form_that_it_misses(uri, rule):
    with pytest.raises(ConfigError) as error:
        require_uri("field", uri)
    text = str(error.value)
    assert text.startswith(f"field must be {rule}")
    assert text.endswith(f"got {masked_uri(uri)!r}")


@pytest.mark.parametrize("uri", SOUND)
def test_a_sound_uri_is_taken(uri):
    require_uri("field", uri)
    assert StudyConfig(name="x", tracking_uri=uri).tracking_uri == uri


def test_every_kind_of_store_has_a_sound_uri_here():
    kinds = {uri.partition("://")[0].partition("+")[0] for uri in SOUND}
    assert kinds == set(SCHEMES)


@pytest.mark.parametrize(
    "uri", ["http://me:hunter2/x@host", "http://hunter2@host:x", "hunter2@host", "ftp://hunter2@h"]
)
def test_the_refusal_of_a_uri_does_not_repeat_its_secrets(uri):
    with pytest.raises(ConfigError) as error:
        require_uri("tracking_uri", uri)
    assert "hunter2" not in str(error.value)
    assert "***@h" in str(error.value)


@pytest.mark.parametrize("uri", ["", "garbage", "http://"])
def test_a_study_is_not_configured_with_a_malformed_uri(uri):
    with pytest.raises(ConfigError, match="tracking_uri must be"):
        StudyConfig(name="x", tracking_uri=uri)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sqlite:///runs/my%20runs.db?timeout=5", "sqlite:///{cwd}/runs/my%20runs.db?timeout=5"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("http://host:5000", "http://host:5000"),
        (None, "sqlite:///{cwd}/mlflow.db"),
    ],
)
def test_resolve(uri, expected, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert resolve(uri) == expected.format(cwd=tmp_path)


def test_resolve_reads_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resolve(None) == "http://host:5000"
    assert resolve("http://other") == "http://other"


def test_what_the_environment_names_is_refused_as_what_a_flag_does(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "./mlruns")
    with pytest.raises(ConfigError, match=r"MLFLOW_TRACKING_URI must be .* got './mlruns'"):
        resolve(None)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("postgresql://me:p/w@host:6000/db?sslmode=require", ("host", 6000)),
        ("postgresql+psycopg2://host/db", ("host", 5432)),
        ("mysql+pymysql://me@[::1]/db", ("::1", 3306)),
        ("postgresql:///db", None),
        ("postgresql://host/db?host=/var/run", None),
        ("postgresql://h1,h2/db", None),
        ("mysql://host/db?unix_socket=/run/mysqld.sock", None),
        ("mssql+pyodbc://me@source", None),
        ("sqlite:///mlflow.db", None),
        ("http://host:5000", None),
    ],
)
def test_the_server_behind_a_database(uri, address):
    assert database_server(uri) == address
