"""Where MLflow is looked for: what is wrong there, and a mend after which nothing is."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from answering import answering, free_port, silent
from bounded import bounded
from digits_place import empty_database
from tracked import spoil

from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.exchange.health import tracking
from lttune.exchange.health.tracking import _migrations, tracking_finding
from lttune.store.sealed import read_object, write_object


@pytest.fixture
def database(cwd) -> Path:
    path = cwd / "my data" / "mlflow.db"
    path.parent.mkdir()
    path.write_bytes(empty_database())
    return path


def uri_of(path: Path) -> str:
    return f"sqlite:///{path}"


def fault(uri: str | None, code: int) -> tuple[str, str]:
    found = tracking_finding(uri)
    assert found.exit_code == code, found.line
    assert found.mend
    return found.trouble, found.mend


def is_clean(uri: str | None) -> bool:
    found = tracking_finding(uri)
    return (found.trouble, found.mend, found.exit_code) == ("", "", 0)


def test_a_sound_database_is_only_read(database):
    before = database.read_bytes(), database.stat().st_mtime_ns
    assert is_clean(uri_of(database))
    assert (database.read_bytes(), database.stat().st_mtime_ns) == before
    assert list(database.parent.iterdir()) == [database]


def test_one_in_use_is_read_with_its_journal(database):
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("UPDATE alembic_version SET version_num = 'later'")
        writer.commit()
        assert Path(f"{database}-wal").stat().st_size
        trouble, _ = fault(uri_of(database), 5)
    assert trouble.startswith("its schema is of another MLflow than ")


def test_nothing_is_written_beside_one_whose_writer_died(database, tmp_path):
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("UPDATE alembic_version SET version_num = 'later'")
        writer.commit()
        # As a copy, or a crash of the machine, leaves it: a journal, and nobody who has it open.
        left = tmp_path / "left"
        left.mkdir()
        for end in ("", "-wal"):
            shutil.copy(f"{database}{end}", left)
    kept = {path: path.read_bytes() for path in left.iterdir()}
    trouble, _ = fault(uri_of(left / database.name), 5)
    assert trouble.startswith("its schema is of another MLflow than ")
    assert {path: path.read_bytes() for path in left.iterdir()} == kept


def test_none_is_made_where_there_is_none(cwd, monkeypatch):
    found = tracking_finding(None)
    assert (
        found.line
        == f"ok      MLflow: {uri_of(cwd / 'mlflow.db')}: not there yet, the next study makes it"
    )
    assert list(cwd.iterdir()) == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    trouble, mend = fault(None, 74)
    assert trouble == f"it is not there, and {cwd} cannot be written to"
    assert mend == "give another --tracking-uri"


@pytest.mark.parametrize("how", [b"oh no, this is no database at all" * 99, "half", "schema"])
def test_a_damaged_file_is_moved_away(how, database):
    if how == "half":
        database.unlink()
        spoil(database)
    elif how == "schema":
        data = database.read_bytes().replace(b"CREATE TABLE", b"\xff\xfe\xfdATE TABLE")
        database.write_bytes(data)
    else:
        database.write_bytes(how)
    trouble, mend = fault(uri_of(database), 74)
    assert trouble.startswith("it is damaged: ")
    assert mend.startswith("move it away, so that `lttune sync STUDY` fills a new one")
    database.rename(database.with_name("away"))
    assert is_clean(uri_of(database))


def test_one_of_something_else_or_half_made_is_moved_away(database, cwd):
    other = cwd / "other.db"
    with closing(sqlite3.connect(other)) as mine:
        mine.execute("CREATE TABLE recipes (id)")
        mine.commit()
    with closing(sqlite3.connect(database)) as half:
        half.execute("DELETE FROM alembic_version")
        half.commit()
        half.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in (other, database):
        trouble, mend = fault(uri_of(path), 74)
        assert trouble == "it is a half-made database, or none of MLflow's"
        assert mend.startswith("move it away")
        path.rename(path.with_name("away"))
        assert is_clean(uri_of(path))


def test_what_is_no_file_is_not_waited_for(cwd):
    os.mkfifo(cwd / "pipe")
    trouble, mend = fault(uri_of(cwd / "pipe"), 74)
    assert trouble == "it cannot be read: Neither a file nor a folder"
    assert mend.startswith("see that it can be read and written")


def test_one_that_cannot_be_written_is_told(database, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != database)
    trouble, mend = fault(uri_of(database), 74)
    assert trouble == f"{database} cannot be written to"
    assert mend.startswith("chmod u+w it, or give another")


def test_one_of_a_later_mlflow_is_told(database):
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("UPDATE alembic_version SET version_num = 'later'")
        writer.commit()
    trouble, mend = fault(uri_of(database), 5)
    assert trouble.startswith("its schema is of another MLflow than ")
    assert mend == "install the MLflow that wrote it, or give another --tracking-uri"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_one_of_an_earlier_mlflow_is_upgraded_as_it_says(cwd):
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config, create_sqlalchemy_engine
    from mlflow.store.tracking.dbmodels.initial_models import Base

    path = cwd / "old.db"
    engine = create_sqlalchemy_engine(uri_of(path))
    Base.metadata.create_all(engine)
    config = _get_alembic_config(uri_of(path))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0584bdc529eb")
    engine.dispose()
    trouble, mend = fault(uri_of(path), 5)
    assert trouble.startswith("its schema is of an MLflow before ")
    asked, _, told = mend.partition(", then ")
    assert asked == "make a copy of it"
    words = shlex.split(told.strip("`"))
    assert words[:3] == ["mlflow", "db", "upgrade"]
    script = [sys.executable, "-m", *words]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert is_clean(uri_of(path))


def test_the_versions_are_those_that_mlflow_knows():
    from mlflow.store.db.utils import _get_latest_schema_revision

    known, before = _migrations()
    assert known - before == {_get_latest_schema_revision()}
    assert before < known


def test_a_server_is_asked_for_three_seconds_at_most():
    with answering(200) as port:
        assert is_clean(f"http://127.0.0.1:{port}")
    with silent() as port:
        began = time.monotonic()
        trouble, mend = fault(f"http://127.0.0.1:{port}", 5)
        assert time.monotonic() - began < 5
    assert trouble == "the server gave no answer in 3 s"
    assert mend.startswith("start it, or give another --tracking-uri")
    trouble, _ = fault(f"http://me:CANARY@127.0.0.1:{free_port()}", 5)
    assert trouble == "the server is away: Connection refused"
    assert "CANARY" not in tracking_finding(f"http://me:CANARY@127.0.0.1:{free_port()}").line


def test_a_uri_that_is_none_is_a_fault_wherever_it_comes_from(monkeypatch):
    trouble, _ = fault("./mlruns", 2)
    assert trouble.startswith("tracking_uri must be ")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "garbage")
    trouble, _ = fault(None, 2)
    assert trouble.startswith("MLFLOW_TRACKING_URI must be ")


def with_uri(study: Path, uri: str) -> dict:
    values = read_object(study / "study.json")
    values["config"]["tracking_uri"] = uri
    write_object(study / "study.json", values)
    return values


def test_a_file_that_a_study_names_is_looked_at(study, database, capsys):
    with_uri(study, uri_of(database))
    assert main(["doctor", str(study)]) == 0
    assert f"ok      MLflow: sqlite:///{database.parent.parent}" in capsys.readouterr().out
    database.write_bytes(b"x" * 5000)
    assert main(["doctor", str(study)]) == 74
    assert main(["doctor", str(study), "--tracking-uri", uri_of(database.with_name("new"))]) == 0


def test_a_server_that_only_a_studys_files_name_is_not_asked(study, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}"
        found = tracking_finding(None, with_uri(study, uri))
        assert found.trouble == "it is not asked, because only the study's files name it"
        assert (found.mend, found.exit_code) == (f"give --tracking-uri {uri}", 0)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # Nobody has come.
            server.accept()
    with answering(200) as port:
        assert main(["doctor", str(study), "--tracking-uri", f"http://127.0.0.1:{port}"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_what_a_schema_computes_fills_no_memory(database):
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("DROP TABLE alembic_version")
        # Eight kilobytes that would be read as a hundred million.
        writer.execute(
            "CREATE TABLE alembic_version"
            "(one, version_num GENERATED ALWAYS AS (zeroblob(50000000)) VIRTUAL)"
        )
        writer.execute("INSERT INTO alembic_version (one) VALUES (1), (2)")
        writer.commit()
    with bounded(most=10_000_000):
        trouble, _ = fault(uri_of(database), StorageError.exit_code)
    assert "string or blob too big" in trouble


def test_a_database_that_is_not_looked_through_in_time_is_told(database, monkeypatch):
    monkeypatch.setattr(tracking, "LONGEST_LOOK_S", -1.0)
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("CREATE TABLE much (one)")
        writer.executemany("INSERT INTO much VALUES (?)", [(n,) for n in range(50_000)])
        writer.commit()
    trouble, mend = fault(uri_of(database), StorageError.exit_code)
    assert trouble == "it was not looked through in -1 s"
    assert "quick_check" in mend
