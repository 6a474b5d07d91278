"""No file is long and no folder of the packages is full.

An entry is a file or a folder; ``__init__.py`` and ``py.typed`` are none, because all that they say
is that the folder is a package. Folders of kernels may be full: each kernel has a file of its own.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
MOST_LINES = 300
MOST_ENTRIES = 14
CODE = ("lttune", "analysis", "studies", "benchmarks", "tests", "docs")
PACKAGES = ("lttune", "analysis")
NO_ENTRIES = {"__init__.py", "py.typed"}


def known() -> list[str]:
    """Returns all files of the code's folders, but for what Python and tools leave there."""
    found = [path.relative_to(ROOT) for top in CODE for path in (ROOT / top).rglob("*")]
    return [
        str(path)
        for path in found
        if (ROOT / path).is_file()
        and not any(part == "__pycache__" or part.startswith(".") for part in path.parts)
    ]


def long_files(paths: list[str]) -> dict[str, int]:
    """Returns the code files of too many lines."""
    code = [path for path in paths if path.endswith(".py")]
    counts = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in code}
    return {path: count for path, count in counts.items() if count > MOST_LINES}


def full_folders(paths: list[str]) -> dict[str, int]:
    """Returns the folders of too many entries."""
    entries = defaultdict[str, set[str]](set)
    for path in map(PurePosixPath, paths):
        if path.parts[0] in PACKAGES and path.name not in NO_ENTRIES:
            for inside, folder in zip((path, *path.parents), path.parents, strict=False):
                entries[str(folder)].add(inside.name)
    del entries["."]
    counts = {name: len(names) for name, names in entries.items() if "kernels" not in name}
    return {name: count for name, count in counts.items() if count > MOST_ENTRIES}


def test_no_file_is_long():
    assert long_files(known()) == {}


def test_no_folder_is_full():
    assert full_folders(known()) == {}


def test_what_is_long_or_full_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    lines = {"docs/long.py": 301, "docs/page.md": 301, "docs/short.py": 300}
    for path, count in lines.items():
        (tmp_path / path).write_text("\n" * count)
    assert long_files(list(lines)) == {"docs/long.py": 301}
    files = [f"lttune/a/{n}/b.py" for n in range(14)]
    files += ["lttune/a/__init__.py", "lttune/py.typed"]
    files += [f"lttune/kernels/{n}" for n in range(20)]
    assert full_folders(files) == {}
    assert full_folders([*files, "lttune/a/c.py"]) == {"lttune/a": 15}
