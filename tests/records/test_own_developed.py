"""What code of one's own imports: of packages that are developed, the sources identify it too."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lttune.errors import ConfigError, ResourceError
from lttune.records.own import own_function, read_own_code, sha256_of_texts
from lttune.records.own.objective import OBJECTIVE

MINE = "import constants_of_mine\n\ndef f():\n    return constants_of_mine.K\n"
FOLDER = {"url": "file:///home/me/constants", "dir_info": {"editable": True}}
COPY = {"url": "file:///home/me/constants", "dir_info": {}}
REPOSITORY = {"url": "https://a.org/c.git", "vcs_info": {"vcs": "git", "commit_id": "0"}}
WHEEL = {"url": "file:///home/me/constants-0.1-py3-none-any.whl", "archive_info": {}}
RELEASE = {"url": "https://a.org/constants-0.1-py3-none-any.whl", "archive_info": {}}
RECORD = "constants_of_mine/__init__.py,,\n"


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Installs packages of one's own, and forgets them."""

    def install(name="constants_of_mine", source="K = 1\n", where="site-packages", **files):
        folder = tmp_path / where
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source)
        about = folder / f"{name}-0.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (about / "top_level.txt").write_text(f"{name}\n")
        for file, text in files.items():
            (about / file.replace("_json", ".json")).write_text(text)
        monkeypatch.syspath_prepend(str(folder))
        return folder / name / "__init__.py"

    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def code(folder: Path, source=MINE):
    (folder / "mine.py").write_text(source)
    return read_own_code(OBJECTIVE, f"{folder}/mine.py:f")


@pytest.mark.parametrize("said", [FOLDER, COPY, REPOSITORY, WHEEL])
def test_the_sources_of_a_package_from_a_folder_or_a_repository_are_in_the_digest(
    tmp_path, packages, said
):
    init = packages(direct_url_json=json.dumps(said), RECORD=RECORD, INSTALLER="pip\n")
    first = code(tmp_path).digest
    assert code(tmp_path).digest == first
    init.write_text("K = 2\n")
    second = code(tmp_path).digest
    (init.parent / "more.py").write_text("")
    assert len({first, second, code(tmp_path).digest}) == 3


def test_so_are_those_of_a_package_that_is_found_by_a_path_alone(tmp_path, packages):
    init = packages(where="checked_out")
    first = code(tmp_path).digest
    init.write_text("K = 2\n")
    assert code(tmp_path).digest != first


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"RECORD": RECORD, "INSTALLER": "pip\n"},
        {"RECORD": RECORD, "where": "put_anywhere"},
        {"direct_url_json": json.dumps(COPY), "INSTALLER": "conda\n"},
        {"direct_url_json": json.dumps(RELEASE)},
    ],
)
def test_name_and_version_stand_for_a_package_of_an_index_as_before(tmp_path, packages, files):
    packages(**files)
    parts = ("f", MINE, "constants_of_mine==0.1")
    assert code(tmp_path).digest == sha256_of_texts(*parts)


def test_what_a_developed_package_imports_counts_likewise(tmp_path, packages):
    inner = packages("inner_of_mine", where="checked_out")
    packages(source="from inner_of_mine import K\nimport yaml\n", where="other")
    first = code(tmp_path).digest
    inner.write_text("K = 2\n")
    assert code(tmp_path).digest != first


def test_what_another_module_of_ones_own_package_imports_counts_likewise(tmp_path, packages):
    init = packages(where="checked_out")
    own = packages("parts_of_mine", source="", where="own")
    (own.parent / "inner.py").write_text("import constants_of_mine\n")
    (own.parent / "parts.py").write_text("from .inner import constants_of_mine\n\nf = print\n")
    name = "parts_of_mine.parts:f"
    first = read_own_code(OBJECTIVE, name)
    own_function(first)
    init.write_text("K = 2\n")
    assert read_own_code(OBJECTIVE, name).digest != first.digest
    with pytest.raises(ResourceError, match="here is not the one that the study began with"):
        own_function(first)


def test_what_this_process_imported_before_a_change_is_not_taken_for_the_new(tmp_path, packages):
    init = packages(where="checked_out")
    first = code(tmp_path)
    assert own_function(first)() == 1
    init.write_text("K = 2\n")
    told = f"{OBJECTIVE}: {tmp_path}/mine.py:f imports constants_of_mine, which was changed since"
    with pytest.raises(ConfigError) as error:
        own_function(code(tmp_path))
    assert str(error.value) == f"{told} this process imported it: start Python anew"
    # As on a machine that has another one than the study began with.
    with pytest.raises(ResourceError) as error:
        own_function(first)
    told = f"{OBJECTIVE}: what {tmp_path}/mine.py imports here is not the one that the study began"
    assert str(error.value) == f"{told} with; install the same on every machine"
