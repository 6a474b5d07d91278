"""A store's place is asked before anything is trained: what cannot be used is told in one line."""

import socket
import time

import pytest

from lttune.errors import UnreachableError
from lttune.store.remote import bucket as bucket_module
from lttune.store.remote.places import (
    local_folder,
    marked,
    remarks,
    require_store,
    store_at,
    url_trouble,
)
from lttune.store.store import Store

pytestmark = pytest.mark.slow


def told(url):
    """Returns the one line of a store that cannot be used, and the seconds that it took."""
    began = time.monotonic()
    with pytest.raises(UnreachableError) as error:
        require_store(url)
    assert error.value.exit_code == 74
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{url} cannot be used: ")
    assert "a secret of this test" not in str(error.value)
    return str(error.value), time.monotonic() - began


def test_a_store_that_can_be_used_is_left_as_it_was(bucket):
    require_store(bucket.url)
    assert remarks(bucket.url) == ()
    assert bucket.objects() == {}


def test_a_bucket_that_is_not_there_is_one_line(bucket):
    line, _ = told(bucket.url.replace(bucket.bucket, "nobodys"))
    assert "NO_SUCH_BUCKET" in line
    assert line.endswith(
        "; make the bucket, or give another --store and run the same command again"
    )


def test_credentials_that_are_refused_are_one_line(bucket):
    with bucket.asking_who():
        line, _ = told(bucket.url)
    assert "; give this machine credentials that may list, read and write there (AWS_" in line


def test_nobody_at_its_address_is_told_in_seconds(bucket):
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        line, seconds = told(bucket.url.replace(str(bucket.port), str(gone.getsockname()[1])))
    assert "; see that this machine reaches it, and that --store is right" in line
    assert seconds < 15


def test_a_server_that_never_answers_is_given_its_time_and_no_more(bucket):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        line, seconds = told(bucket.url.replace(str(bucket.port), str(silent.getsockname()[1])))
    assert "; see that this machine reaches it" in line
    assert seconds < 25


def test_a_node_finds_the_drivers_mark_and_says_what_it_cannot(bucket, monkeypatch, tmp_path):
    with marked(bucket.url) as mark:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "node"))
        assert url_trouble(mark) == ""
        assert len(bucket.objects()) == 1
        with bucket.asking_who():
            assert url_trouble(mark).startswith(f"says: {bucket.url} cannot be used: ")
        # It has a server of its own at that address, or a cache that it cannot write to.
        bucket.remove(next(iter(bucket.objects())))
        assert "it does not have what was just put there" in url_trouble(mark)
    with marked(bucket.url) as mark:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        assert url_trouble(mark).startswith("says: cannot write to ")
    assert bucket.objects() == {}


def test_a_folder_is_a_store_as_before(tmp_path):
    where = str(tmp_path / "cells")
    require_store(where)
    assert list((tmp_path / "cells").iterdir()) == []
    assert type(store_at(where)) is Store
    assert local_folder(where) == tmp_path / "cells"


class NoBucket:
    """A file system of pyarrow's as Google's is where the bucket is missing (measured, 25.0)."""

    def open_input_stream(self, path):
        raise FileNotFoundError(2, f"google::cloud::Status(NOT_FOUND: {path})")

    open_output_stream = open_input_stream


def test_a_bucket_of_google_s_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bucket_module, "file_system_of", lambda at: NoBucket())
    line, _ = told("gs://nope/x")
    assert "; make the bucket, or give another --store and run the same " in line


def test_a_node_with_another_server_is_told_what_to_set(bucket, monkeypatch):
    url = f"s3://{bucket.bucket}/nets"
    drivers = f"http://localhost:{bucket.port}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", drivers)
    with marked(url) as mark, socket.socket() as gone:
        assert url_trouble(mark) == ""
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://me:geheim@127.0.0.1:{port}")
        line = url_trouble(mark)
    assert line.startswith(f"says: {url} cannot be used: ")
    assert "geheim" not in line
    assert line.endswith(
        f"; AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is 'http://***@127.0.0.1:{port}' there, "
        f"of the driver {drivers!r}: start Ray with the driver's"
    )


def test_a_server_that_the_environment_names_has_a_copy_of_its_own(bucket, monkeypatch):
    url, copies = f"s3://{bucket.bucket}/nets", set()
    for host in ("127.0.0.1", "localhost"):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{bucket.port}")
        require_store(url)
        copies.add(local_folder(url))
    assert len(copies) == 2
    assert bucket.objects() == {}
