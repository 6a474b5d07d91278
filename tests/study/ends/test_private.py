"""A Ray of this machine's own: no other user reaches its sockets and logs, at no moment."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from drivers import script

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

STARTS = """
import os, sys
from dataclasses import replace
from pathlib import Path
import ray
from digits_study import SMOKE
from lttune.study.workers.cluster import start_ray
os.umask(0)
config = replace(SMOKE, out=Path("out"))
Path(config.cells).mkdir(parents=True)
start_ray(config)
print(ray._private.worker._global_node.get_session_dir_path(), flush=True)
sys.stdin.read()
ray.shutdown()
"""
NOBODY = 65534


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder of temporary files as ``/tmp`` is one; its name is as short as sockets need it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


def test_no_other_user_reaches_the_folder_of_a_ray(shared, tmp_path):
    process = script(STARTS, cwd=tmp_path, stdin=subprocess.PIPE, env={"RAY_TMPDIR": str(shared)})
    assert process.stdout
    modes = set()
    while not select.select([process.stdout], [], [], 0.005)[0]:
        # From the first moment: what is there before Ray looks for it is taken for Ray's own.
        modes |= {path.stat().st_mode & 0o7777 for path in shared.iterdir()}
    session = Path(process.stdout.readline().rstrip("\n"))
    try:
        assert process.poll() is None, process.communicate()
        assert modes == {0o700}
        (private,) = shared.iterdir()
        assert private.stat().st_uid == os.getuid()
        assert session.is_relative_to(private)
        assert any(path.is_socket() for path in (session / "sockets").iterdir())
        assert any(path.stat().st_size for path in (session / "logs").iterdir())
        if os.getuid() == 0:
            asked = ["ls", str(session), str(session / "logs"), str(private)]
            other = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}
            done = subprocess.run(asked, capture_output=True, text=True, check=False, **other)
            assert (done.stdout, done.stderr.count("Permission denied")) == ("", 3)
    finally:
        process.communicate(timeout=60)
    assert process.returncode == 0
