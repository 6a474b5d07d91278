"""A server that speaks S3, moto's, in a process of its own on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lttune.store.remote.url_store import cache_of

SERVE = """
import logging
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""
MACHINE = {
    "AWS_ACCESS_KEY_ID": "mine",
    "AWS_SECRET_ACCESS_KEY": "a secret of this test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}
"""What a machine has that may read and write."""
_numbers = itertools.count()


@dataclass(frozen=True)
class ObjectStore:
    """A bucket of the server, and a folder of it in which one test's cells are."""

    port: int
    bucket: str
    prefix: str = "nets"

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}?{endpoint(self.port)}"

    @property
    def cache(self) -> Path:
        """The folder before it of this machine, as the environment now says."""
        return cache_of(self.url)

    def system(self) -> Any:
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            endpoint_override=f"127.0.0.1:{self.port}", scheme="http", allow_bucket_creation=True
        )

    def objects(self) -> dict[str, bytes]:
        """Returns name -> bytes of all objects below the prefix."""
        from pyarrow.fs import FileSelector, FileType

        system, root = self.system(), f"{self.bucket}/{self.prefix}"
        selected = FileSelector(root, recursive=True, allow_not_found=True)
        found = [one for one in system.get_file_info(selected) if one.type == FileType.File]
        return {
            one.path.removeprefix(f"{root}/"): system.open_input_stream(one.path).read()
            for one in found
        }

    def put(self, name: str, data: bytes) -> None:
        with self.system().open_output_stream(f"{self.bucket}/{self.prefix}/{name}") as stream:
            stream.write(data)

    def remove(self, name: str) -> None:
        self.system().delete_file(f"{self.bucket}/{self.prefix}/{name}")

    def cells(self) -> dict[str, list[str]]:
        """Returns key -> digests of the record and tensors of each sealed cell."""
        objects = self.objects()
        return {
            name.split("/")[1]: [
                hashlib.sha256(objects[one]).hexdigest()
                for kind in ("record-", "tensors-")
                for one in objects
                if one.startswith(f"{name.removesuffix('seal.json')}{kind}")
            ]
            for name in objects
            if name.endswith("/seal.json")
        }

    @contextlib.contextmanager
    def asking_who(self) -> Iterator[None]:
        """Has the server know nobody inside."""
        self._authenticates_after(0)
        try:
            yield
        finally:
            self._authenticates_after(10**9)

    def _authenticates_after(self, requests: int) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/moto-api/reset-auth",
            data=str(requests).encode(),
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()


def endpoint(port: int) -> str:
    return f"endpoint_override=127.0.0.1:{port}&scheme=http"


def bucket_of(port: int) -> ObjectStore:
    """Returns a bucket that nobody has used."""
    made = ObjectStore(port, f"bucket-{next(_numbers)}")
    made.system().create_dir(made.bucket)
    return made


@contextlib.contextmanager
def serving(source: str = SERVE) -> Iterator[int]:
    """Yields the port of a server, which a program prints and which ends afterwards."""
    server = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
