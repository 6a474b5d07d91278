"""Which places a store may be at; a URL that is recorded has no room for a secret."""

import itertools
from pathlib import Path

import pytest

from lttune.config.passwords import masked, masked_uri
from lttune.errors import ConfigError
from lttune.store.remote import url as urls
from lttune.store.remote.url import require_folder, require_where, url_parts
from lttune.store.remote.url_store import cache_of

TAKEN = [
    "s3://bucket",
    "s3://bucket/",
    "s3://my.bucket-1/a/b=2/c_d.e/",
    "gs://bucket/prefix",
    "s3://b/p?endpoint_override=127.0.0.1:9000&scheme=http",
    "s3://b/p?region=eu-central-1",
    "results/cells",
    "/shared/cells",
    "C:\\results",
    "c:/results",
    "./s3:/bucket",
    "results:1",
]
REFUSED = [
    "",
    "  ",
    "s3://",
    "s3:///prefix",
    "s3://key:secret@bucket/p",
    "s3://token@bucket/p",
    "s3://bucket/p@q",
    "s3://bucket/a//b",
    "s3://bucket/../b",
    "s3://bucket/a/./b",
    "s3://bucket/p#mark",
    "s3://bucket/p?access_key=AKIA&secret_key=x",
    "s3://bucket/p?region",
    "s3://bucket/p?endpoint_override=u:pw@host",
    "s3://bucket/p q",
    "s3://bücket/p",
    "gs://bucket/p?region=eu",
    "S3://bucket/p",
    "s3a://bucket/p",
    "hdfs://host:8020/p",
    "abfss://container@account.dfs.core.windows.net/p",
    "file:///shared/cells",
    "https://host/p",
    "s3:/bucket/p",
    "s3:bucket",
    "S3:/bucket",
    " s3:/bucket",
    "s3:\\bucket",
    "gs:/bucket/p",
    "gs:bucket",
    "http:/host/p",
    "https:host",
    "file:/shared/cells",
    "abfss:/container/p",
    "minio:/bucket/p",
    "s3:/key:secret@bucket/p",
]


@pytest.mark.parametrize("where", TAKEN)
def test_a_place_that_is_taken_is_shown_as_it_is(where):
    require_where("store", where)
    assert masked_uri(where) == where
    assert masked(f"python study.py --store {where}") == f"python study.py --store {where}"


@pytest.mark.parametrize("where", REFUSED)
def test_every_other_one_is_one_line(where):
    with pytest.raises(ConfigError) as error:
        require_where("store", where)
    line = str(error.value)
    assert line.startswith("store must be a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
    assert "\n" not in line
    assert not any(secret in line for secret in ("secret@", "token@", "AKIA", "pw@"))


@pytest.mark.parametrize("out", ["s3://bucket/results", "s3:/bucket", "gs:/bucket", "file:///x"])
def test_results_are_behind_no_url(out):
    require_folder("out", Path("results"))
    with pytest.raises(ConfigError) as error:
        require_folder("out", Path(out))
    assert str(error.value).startswith(
        "out must be a folder; behind a URL there can be networks alone, by --store, got "
    )


def test_the_parts_of_a_url():
    url = url_parts("s3://bucket/a/b/?endpoint_override=h:1&scheme=http")
    assert url is not None
    assert (url.bucket, url.prefix) == ("bucket", "a/b/")
    assert url.options == {"endpoint_override": "h:1", "scheme": "http"}
    assert url_parts("s3://bucket/").prefix == ""


@pytest.fixture
def nameless(monkeypatch):
    """An environment that names no server."""
    for name in itertools.chain.from_iterable(urls._VARIABLES.values()):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "first", "second"),
    [
        ("s3://b/p", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        ("gs://b/p", "CLOUD_STORAGE_EMULATOR_ENDPOINT", "CLOUD_STORAGE_TESTBENCH_ENDPOINT"),
    ],
)
def test_buckets_of_one_name_at_two_servers_have_two_copies(
    url, first, second, nameless, monkeypatch
):
    copies = [cache_of(url)]
    for name, server in ((second, "http://a:9000"), (first, "http://b:9000")):
        monkeypatch.setenv(name, server)
        copies.append(cache_of(url))
    assert len({*copies}) == 3
    monkeypatch.setenv(second, "http://c:9000")
    assert cache_of(url) == copies[-1]


def test_a_server_in_the_url_is_all_that_counts_of_s3(nameless, monkeypatch):
    url = "s3://b/p?endpoint_override=h:1"
    before = cache_of(url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://a:9000")
    assert cache_of(url) == before


def test_google_s_token_is_sent_to_no_emulator(nameless, monkeypatch):
    taken = []
    monkeypatch.setattr("pyarrow.fs.GcsFileSystem", lambda **options: taken.append(options))
    for url in ("gs://b/p", "gs://b/p?endpoint_override=h:1", "gs://b/p?scheme=http"):
        urls.file_system_of(url_parts(url))
    monkeypatch.setenv("CLOUD_STORAGE_EMULATOR_ENDPOINT", "http://a:9000")
    urls.file_system_of(url_parts("gs://b/p"))
    assert [one["anonymous"] for one in taken] == [False, False, True, True]


def test_the_rule_of_stores_is_told_whole():
    with pytest.raises(ConfigError) as error:
        require_where("store", "S3://bucket/x")
    # Where it is printed, what looks like a password is not.
    assert masked(str(error.value)) == str(error.value)
