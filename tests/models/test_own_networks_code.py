"""The code of networks of one's own: what cannot be imported, and what identifies the rest."""

import sys

import pytest
from own_networks import GREY, MLP, made, written

from lttune.config import ModelConfig
from lttune.errors import ConfigError, ResourceError
from lttune.models import build
from lttune.models.own import NETWORK, read_code, use, use_as
from lttune.records.own import OwnCode, bringers, imports, known_part, own_function, read_own_code
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.identity import of_model


@pytest.mark.parametrize(
    ("source", "function", "told"),
    [
        (None, "network", "No such file or directory"),
        ("def network(", "network", "SyntaxError: '(' was never closed"),
        ("1 / 0", "network", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "network", "SystemExit: 0"),
        ("import no_such_package", "network", "No module named 'no_such_package'"),
        ("network = 3", "network", "has no function 'network'"),
        (MLP, "netwrok", "has no function 'netwrok'"),
        ("from . import x", "network", "imports by a relative name, which no installed package"),
        ("import own_networks", "network", "imports 'own_networks', which no installed package"),
        ("import __main__", "network", "imports '__main__', which no installed package"),
        ("def network(shape, classes): return 3", "network", "must return an nn.Module, got 3"),
    ],
)
def test_what_cannot_be_imported_is_one_line(source, function, told, tmp_path):
    name = f"{tmp_path}/net.py:{function}" if source is None else ""
    with pytest.raises(ConfigError) as error:
        made(name or written(tmp_path, source, function=function))
    assert told in str(error.value)
    assert str(error.value).startswith(f"model.name: {tmp_path}/net.py:{function} ")
    assert "\n" not in str(error.value)


def digest_of(folder, source, **names):
    return read_code(written(folder, source, **names)).digest


def test_a_digest_is_of_the_text_and_not_of_the_place(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    first = digest_of(tmp_path, MLP)
    assert digest_of(tmp_path / "elsewhere", MLP, file="moved.py") == first
    assert digest_of(tmp_path, MLP + "\n") != first
    assert digest_of(tmp_path, MLP, function="other") != first


def test_the_versions_of_what_is_imported_are_in_the_digest(tmp_path, monkeypatch):
    source = f"import numpy\n{MLP}"
    first = digest_of(tmp_path, source)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0")
    assert digest_of(tmp_path, source) != first


def test_a_moved_file_is_the_same_model_and_names_of_ours_are_as_they_were():
    one, other = (of_model(ModelConfig(name=n)) for n in ("./net.py:f", "elsewhere/b.py:f"))
    assert one == other
    assert of_model(ModelConfig()) == {"name": "lenet-300-100", "init": "glorot_normal"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, whose sources a test may change."""
    folder = tmp_path / "packaged_networks"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "parts.py").write_text("HIDDEN = 12\n")
    source = MLP.replace("12", "HIDDEN").replace(
        "from torch", "from .parts import HIDDEN\nfrom torch"
    )
    (folder / "nets.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [n for n in sys.modules if n.startswith("packaged_networks")]:
        del sys.modules[name]


def test_a_function_of_a_package_is_identified_by_all_of_its_sources(package):
    name = "packaged_networks.nets:network"
    assert made(name).kinds == {"1": "fc", "3": "out"}
    code = read_code(name)
    assert code.text is None
    (package / "parts.py").write_text("HIDDEN = 13\n")
    assert read_code(name).digest != code.digest
    with pytest.raises(ConfigError, match="was changed since this process imported it"):
        made(name)
    # Whichever function is asked for, Python has the module as it was.
    with pytest.raises(ConfigError, match="was changed since this process imported it"):
        made("packaged_networks.nets:Hidden")
    with pytest.raises(ResourceError, match="here is not the one that the study began with"):
        use([OwnCode(field=NETWORK, name=name, digest="0" * 64)])


def test_sources_of_a_package_are_parsed_once_for_all_of_its_parts(package, monkeypatch):
    parsed, names_in = [], imports.names_in
    imports._names_in.cache_clear()
    monkeypatch.setattr(imports, "names_in", lambda text: parsed.append(text) or names_in(text))
    for field in (NETWORK, SCHEDULE):
        own_function(read_own_code(field, "packaged_networks.nets:network"))
    assert len(parsed) == 3


def test_under_the_name_that_a_study_has_for_it_only_the_users_code_is_run(package):
    # No module of the study's name is there, and none would be looked for.
    code, name = read_code("packaged_networks.nets:network"), "study_of_another.nets:network"
    use_as(code, name)
    assert build(ModelConfig(name=name), GREY, 10).kinds == {"1": "fc", "3": "out"}
    schedule = read_own_code(SCHEDULE, "packaged_networks.nets:network")
    use_as(schedule, name)
    assert known_part(SCHEDULE, name).source == schedule.digest


def test_what_packages_bring_is_looked_for_again_where_one_is_installed(tmp_path, monkeypatch):
    # Looking takes a second, so that it is not done for each part of a study.
    packages, source = tmp_path / "packages", "import sparse_parts\n" + MLP
    packages.mkdir()
    monkeypatch.syspath_prepend(str(packages))
    first = digest_of(tmp_path, source)
    info = packages / "sparse_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sparse-parts\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("sparse_parts\n")
    (packages / "sparse_parts.py").write_text("")
    second = digest_of(tmp_path, source)
    assert second != first
    looked = bringers._listed.cache_info().misses
    assert digest_of(tmp_path, source) == second
    assert bringers._listed.cache_info().misses == looked


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("packaged_networks.none:f", "there is no module 'packaged_networks.none' here"),
        ("no_such_package.nets:f", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("math:sqrt", "math has no source that could identify it"),
    ],
)
def test_a_package_that_is_not_there_is_one_line(name, told, package):
    with pytest.raises(ConfigError) as error:
        made(name)
    assert told in str(error.value)


def test_sources_of_torchvision_that_cannot_be_read_are_a_line(monkeypatch):
    def refused(modules):
        raise PermissionError("no")

    monkeypatch.setattr("lttune.models.own.code.is_developed", lambda place, packages: True)
    monkeypatch.setattr("lttune.models.own.code.developed_sources", refused)
    told = "model.name: torchvision:resnet18 cannot be read: PermissionError: no$"
    with pytest.raises(ConfigError, match=told):
        read_code("torchvision:resnet18")


def test_for_a_network_of_torchvision_not_all_that_is_installed_is_looked_through(monkeypatch):
    monkeypatch.setattr(bringers, "_listed", lambda installed: pytest.fail("it looks"))
    assert read_code("torchvision:resnet18").digest != read_code("torchvision:resnet34").digest
