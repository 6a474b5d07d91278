"""What code of one's own imports: of packages that are developed, the sources identify it too."""

from __future__ import annotations

import json
import os
import site
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from lttune.errors import ConfigError, ResourceError
from lttune.records.own import own_function, process, read_own_code, sha256_of_texts
from lttune.records.own.developed import developed_sources
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

    for held in ("_RUN", "_LEFT", "_IMPORTED"):  # As in a process of its own.
        monkeypatch.setattr(process, held, {})
    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def in_place(tmp_path, packages, monkeypatch):
    """Installs a package in place, which lists no module, as pip does with most builders."""

    def install(name="constants_of_mine", source="K = 1\n", inside="src", added="{}\n"):
        project = tmp_path / "projects" / name
        init = project / inside / name / "__init__.py"
        init.parent.mkdir(parents=True)
        init.write_text(source)
        installed = tmp_path / "lib" / "site-packages"
        about = installed / f"{name}-0.1.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        said = {"url": project.as_uri(), "dir_info": {"editable": True}}
        (about / "direct_url.json").write_text(json.dumps(said))
        (about / "RECORD").write_text(f"_{name}.pth,,\n{about.name}/RECORD,,\n")
        (installed / f"_{name}.pth").write_text(added.format(project / inside))
        monkeypatch.syspath_prepend(str(installed))
        site.addsitedir(str(installed))
        return init

    return install


class Finder:
    """Finds modules in a folder that is not in ``sys.path``, as that of some builders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, [str(self.folder)])


def code(folder: Path, source=MINE):
    (folder / "mine.py").write_text(source)
    return read_own_code(OBJECTIVE, f"{folder}/mine.py:f")


@pytest.mark.parametrize(
    ("said", "where"),
    [(FOLDER, "site-packages"), (REPOSITORY, "site-packages"), (COPY, "put_anywhere")],
)
def test_the_sources_of_a_package_that_may_change_are_in_the_digest(
    tmp_path, packages, said, where
):
    about = {"direct_url_json": json.dumps(said), "RECORD": RECORD, "INSTALLER": "pip\n"}
    init = packages(where=where, **about)
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
        {"direct_url_json": json.dumps(COPY), "INSTALLER": "pip\n", "RECORD": RECORD},
        {"direct_url_json": json.dumps(WHEEL), "INSTALLER": "pip\n", "RECORD": RECORD},
        {"direct_url_json": json.dumps(WHEEL), "RECORD": RECORD, "where": "put_anywhere"},
        {"direct_url_json": json.dumps(RELEASE)},
    ],
)
def test_name_and_version_stand_for_what_changes_by_an_install_alone(tmp_path, packages, files):
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


def test_what_failed_to_be_imported_may_be_mended_but_what_it_left_is_held(tmp_path, packages):
    init = packages(source="K = one\n", where="checked_out")
    with pytest.raises(ConfigError, match="name 'one' is not defined"):
        own_function(code(tmp_path))
    init.write_text("K = 1\n")
    assert own_function(code(tmp_path))() == 1
    own = packages("mended_of_mine", source="", where="own")
    (own.parent / "parts.py").write_text("f = prnt\n")
    for source in ("f = prints\n", "f = print\n"):
        with pytest.raises(ConfigError, match="is not defined"):
            own_function(read_own_code(OBJECTIVE, "mended_of_mine.parts:f"))
        (own.parent / "parts.py").write_text(source)
    own.write_text("K = 1\n")
    with pytest.raises(ConfigError, match="parts:f was changed since this process imported"):
        own_function(read_own_code(OBJECTIVE, "mended_of_mine.parts:f"))
    own.write_text("")
    assert own_function(read_own_code(OBJECTIVE, "mended_of_mine.parts:f")) is print


def test_a_package_that_is_installed_in_place_and_lists_no_module_counts_likewise(
    tmp_path, in_place
):
    init = in_place()
    first = code(tmp_path)
    assert own_function(first)() == 1
    init.write_text("K = 2\n")
    assert code(tmp_path).digest != first.digest


def test_so_does_one_that_a_finder_finds(tmp_path, in_place, monkeypatch):
    init = in_place(added="import sys\n")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(init.parent.parent)])
    first = code(tmp_path).digest
    init.write_text("K = 2\n")
    assert code(tmp_path).digest != first


def test_what_lies_in_a_project_beside_its_package_is_brought_by_none(
    tmp_path, in_place, monkeypatch
):
    project = in_place().parent.parent.parent
    (project / "beside_of_mine.py").write_text("K = 1\n")
    monkeypatch.syspath_prepend(str(project))
    with pytest.raises(ConfigError, match="'beside_of_mine', which no installed package brings"):
        code(tmp_path, "import beside_of_mine\n")


@pytest.mark.parametrize("where", ["own", "checked_out"])
def test_what_is_imported_from_a_developed_package_counts_whoever_brings_it(
    tmp_path, packages, in_place, monkeypatch, where
):
    source = "from inner_of_mine import K\nimport __main__\nimport test.support\n"
    if where == "own":
        inner = in_place("inner_of_mine")
    else:
        inner = tmp_path / where / "inner_of_mine.py"
        inner.parent.mkdir()
        inner.write_text("K = 1\n")
        monkeypatch.syspath_prepend(str(inner.parent))
    packages(source=source, where="other")
    first = code(tmp_path).digest
    inner.write_text("K = 2\n")
    assert code(tmp_path).digest != first


@pytest.mark.parametrize("where", ["own", "checked_out"])
def test_so_does_what_another_module_of_ones_own_package_imports(
    tmp_path, packages, in_place, monkeypatch, where
):
    if where == "own":
        inner = in_place()
    else:
        inner = tmp_path / where / "constants_of_mine.py"
        inner.parent.mkdir()
        inner.write_text("K = 1\n")
        monkeypatch.syspath_prepend(str(inner.parent))
    own = packages("parts_of_mine", source="", where="parts")
    (own.parent / "inner.py").write_text("import constants_of_mine\n")
    (own.parent / "parts.py").write_text("from .inner import constants_of_mine\n\nf = print\n")
    first = read_own_code(OBJECTIVE, "parts_of_mine.parts:f").digest
    inner.write_text("K = 2\n")
    assert read_own_code(OBJECTIVE, "parts_of_mine.parts:f").digest != first


def test_what_no_part_is_made_of_does_not_count():
    names = ["analysis", "lttune", "torch", "json", "test", "__main__", "", "no_such_package"]
    assert developed_sources(names) == {}


def test_folders_and_links_that_are_called_as_sources_are_none(tmp_path, packages):
    init = packages(where="checked_out")
    first = code(tmp_path).digest
    (init.parent / "folder.py").mkdir()
    (init.parent / ".#link.py").symlink_to("me@here.1234:5678")
    assert code(tmp_path).digest == first
    (init.parent / "parts.py").write_text("f = print\n")
    assert own_function(read_own_code(OBJECTIVE, "constants_of_mine.parts:f")) is print


def test_what_cannot_be_read_is_a_line(tmp_path, packages, monkeypatch):
    init = packages(where="checked_out")
    code(tmp_path)
    init.write_text("K = 10\n")
    monkeypatch.setattr(Path, "read_bytes", refused)
    told = f"{tmp_path}/mine.py:f imports what cannot be read: PermissionError: no$"
    with pytest.raises(ConfigError, match=told):
        code(tmp_path)
    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(ConfigError, match="constants_of_mine:f cannot be read: PermissionError"):
        read_own_code(OBJECTIVE, "constants_of_mine:f")


def test_sources_that_did_not_change_are_read_once(tmp_path, packages, monkeypatch):
    init = packages(where="checked_out")
    os.utime(init, (1e9, 1e9))
    first = code(tmp_path).digest
    with monkeypatch.context() as at:
        at.setattr(Path, "read_bytes", refused)
        assert code(tmp_path).digest == first
    init.write_text("K = 2\n")
    assert code(tmp_path).digest != first


def refused(path: Path, **_: str) -> bytes:
    raise PermissionError("no")
