"""Who reads a table and ends at once ends well: no thread holds its bytes any longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lttune.records import schema

READS = """
import sys
from pathlib import Path
from lttune.records import schema
names = lambda: sorted(one.read_text() for one in Path("/proc/self/task").glob("*/comm"))
schema.read(Path("nothing.parquet"))
before = names()
assert len(schema.read(Path(sys.argv[1]))) == 50
print([name for name in names() if names().count(name) > before.count(name)])
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux, to see threads")
def test_reading_leaves_no_thread_behind(tmp_path):
    path = tmp_path / "records.parquet"
    names = ("trial", "replicate", "level")
    rows = [{**dict.fromkeys(names, n), "branch": "trunk", "train.lr": 0.1} for n in range(50)]
    schema.write(path, rows)
    command = [sys.executable, "-c", READS, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.replace("'jemalloc_bg_thd\\n'", "") == "[]\n"
