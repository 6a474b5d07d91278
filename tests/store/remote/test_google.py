"""A store at Google, as an emulator of it that a URL or the environment names."""

import itertools

import pytest
import torch
from google_store import BUCKET, serving
from small_cells import INPUTS, cell, never, obtain

from lttune.errors import UnreachableError
from lttune.store.remote.bucket import Bucket
from lttune.store.remote.places import marked, require_store, store_at, url_trouble
from lttune.store.store import Store

pytest.importorskip("gcp_storage_emulator")
pytestmark = pytest.mark.slow
numbers = itertools.count()


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.fixture
def url(port, monkeypatch, tmp_path):
    """A place of its own on the server, for a machine without credentials."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    query = f"endpoint_override=127.0.0.1:{port}&scheme=http"
    return f"gs://{BUCKET}/nets-{next(numbers)}?{query}"


def test_objects_are_put_replaced_listed_and_removed(url):
    bucket = Bucket(url)
    assert bucket.get("ab/x/one.json") is None
    assert bucket.sizes("ab") == {}
    large = b"x" * 9_000_000
    for name, data in {"ab/x/one.json": b"{}", "ab/y/large": large, "abc/z": b"z"}.items():
        bucket.put(name, data)
        assert bucket.get(name) == data
    bucket.put("ab/x/one.json", b"")
    assert bucket.get("ab/x/one.json") == b""
    assert bucket.sizes("ab") == {"ab/x/one.json": 0, "ab/y/large": len(large)}
    assert bucket.sizes("ab/y") == {"ab/y/large": len(large)}
    bucket.remove("ab/y/large")
    assert bucket.get("ab/y/large") is None


def test_what_one_machine_computes_another_reads_and_a_third_puts_again(url, monkeypatch, tmp_path):
    require_store(url)
    key, mine, was_there = obtain(store_at(url), INPUTS, cell)
    assert not was_there
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    store = store_at(url)
    _, theirs, was_there = obtain(store, INPUTS, never)
    assert was_there
    assert (theirs.record, theirs.times) == (mine.record, mine.times)
    assert torch.equal(theirs.tensors["weights/fc1.weight"], torch.arange(6.0))
    before = Bucket(url).sizes(key[:2])
    assert len(before) == 4
    for name in before:
        Bucket(url).remove(name)
    assert Bucket(url).sizes(key[:2]) == {}
    assert obtain(store_at(url), INPUTS, never)[2]
    assert Bucket(url).sizes(key[:2]) == before
    assert Store(store.folder).read(key) is not None


def test_a_node_reads_the_drivers_mark(url):
    with marked(url) as mark:
        assert url_trouble(mark) == ""
    with marked(url) as mark:
        Bucket(url).remove(mark.split("#")[1])
        assert "it does not have what was just put there" in url_trouble(mark)


def test_a_bucket_that_is_not_there_is_one_line(url):
    with pytest.raises(UnreachableError) as error:
        require_store(url.replace(BUCKET, "nobodys"))
    line = str(error.value)
    assert line.startswith("gs://nobodys/nets-")
    assert "; make the bucket, or give another --store and run the same command again" in line
    assert "\n" not in line


def test_the_environment_may_name_the_emulator(url, port, monkeypatch):
    monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", f"http://127.0.0.1:{port}")
    short = url.partition("?")[0]
    key, _, _ = obtain(store_at(short), INPUTS, cell)
    assert len(Bucket(url).sizes(key[:2])) == 4


def test_a_login_that_is_not_there_is_one_line(monkeypatch, tmp_path):
    # What Google's client calls unknown is none of Python's errors.
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(UnreachableError) as error:
        require_store("gs://bucket/nets")
    line = str(error.value)
    assert line.startswith("gs://bucket/nets cannot be used: ")
    assert "\n" not in line
