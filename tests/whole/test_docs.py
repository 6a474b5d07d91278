"""What the documents promise: links, commands, columns, and the direction of imports."""

import ast
import functools
import importlib
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import tyro
from scipy import stats

from benchmarks import bars, markdown
from lttune import __main__ as command_line
from lttune.config import LotteryConfig, PruneConfig, design
from lttune.records.schema import CURVE_MEASURES, LAYERS, MEASURES
from lttune.store.plain_json import read_json
from lttune.study.settings import StudyConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {part for part in path.relative_to(ROOT).parts if part.startswith(".")}
    and path.relative_to(ROOT).parts[0] not in ("results", "mlruns")
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def commands():
    found = []
    for page in (ROOT / "README.md", ROOT / "studies" / "cluster" / "README.md"):
        before = "^|'|&& |-C lttune "
        line = rf"(?:{before})(python studies/\S+\.py[^'\n#`]*)"
        found += re.findall(line, page.read_text(), re.M)
    return sorted({command.strip() for command in found})


@pytest.mark.parametrize("command", [c for c in commands() if "--help" not in c])
def test_commands_of_the_documents_are_understood(command):
    words = shlex.split(command)[1:]
    assert (ROOT / words[0]).exists()
    default = StudyConfig(name="x")
    config = tyro.cli(StudyConfig, default=default, args=words[1:])
    if "--name" in words:
        assert config.name == words[words.index("--name") + 1]


def test_there_are_commands_to_check():
    assert len(commands()) >= 3


def test_the_columns_of_the_records_are_documented():
    lines = (ROOT / "docs" / "records.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| `")]
    columns = [*MEASURES.items(), *LAYERS.items(), *CURVE_MEASURES.items()]
    assert table == [f"| `{name}` | {kind} | {doc} |" for name, (kind, doc) in columns]


def test_files_to_read_first_stay_short():
    listed = re.findall(r"^\d\. \[([^\]]+)\]", (ROOT / "README.md").read_text(), re.M)
    assert len(listed) == 5
    assert all(len((ROOT / name).read_text().splitlines()) < 250 for name in listed)


def test_make_does_what_the_readme_and_the_checks_ask_it_for():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    asked = {
        name: re.findall(r"^make ([a-z-]+)", (ROOT / name).read_text(), re.M)
        for name in ("README.md", ".ci/run")
    }
    assert {"study", "test", "test-all"} <= {*asked["README.md"]} <= targets
    # What a person runs leaves the slow tests out; what decides about a merge leaves none out.
    assert asked[".ci/run"] == ["test-all", "check"]
    recipes = dict(re.findall(r"^(test|test-all):.*\n\t(.*)$", makefile, re.M))
    assert "not slow" in recipes["test"]
    assert "slow" not in recipes["test-all"]


@pytest.mark.slow
def test_imports_point_one_way():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


STUDIES = sorted((ROOT / "studies").glob("*.py"))


def explains_itself(text: str) -> None:
    text = " ".join(text.split())
    for word in ("?", "Source:", "Cost on", "--scale", "--lottery.train.lr", "Learning rate, > 0"):
        assert word in text
    flags = "name out trials replicates seed phases tracking-uri address max-concurrent"
    assert all(f"--{flag}" in text for flag in flags.split())


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda p: p.stem)
def test_every_study_explains_itself(study, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(study), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(study), run_name="__main__")
    assert ended.value.code == 0
    explains_itself(capsys.readouterr().out)


@pytest.mark.slow
def test_a_study_explains_itself_in_a_process_of_its_own():
    done = subprocess.run(
        [sys.executable, STUDIES[0], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    explains_itself(done.stdout)


def test_the_readmes_results_are_those_of_the_committed_records():
    anchors = pd.read_parquet(ROOT / "docs" / "results" / "claims" / "records.parquet")
    anchors = anchors[anchors["phase"] == "anchor"]
    at = anchors.pivot_table(index="replicate", columns=["branch", "level"], values="test_accuracy")
    trunk = anchors[anchors["branch"] == "trunk"].groupby("level")["density"].first()
    lines = []
    for level in (7, 11, 15):
        others = [("trunk", 0), ("reinit", level), ("random", level)]
        cells = []
        for other in others:
            difference = 100 * (at["trunk", level] - at[other])
            low, high = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
            cells.append(f"{difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]")
        assert len(at) == 6
        lines.append(f"| {trunk[level]:.1%} | {' | '.join(cells)} |".replace("%", " %"))
    readme = (ROOT / "README.md").read_text()
    assert [line for line in lines if line not in readme] == []


def test_the_factors_that_the_page_of_own_studies_names_are_some():
    page = (ROOT / "docs" / "your-own-study.md").read_text()
    section = page.partition("## What a factor can be")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| `(.+)` \|$", section, re.M)
    kinds = {kind.__name__ for kind in get_args(design.Distribution)}
    assert {name for name, _ in rows} == kinds
    for name, example in rows:
        factor = eval(example, vars(design))
        assert type(factor.distribution).__name__ == name
        assert factor.path in LotteryConfig().paths() or factor.path == "prune.fractions.fc"
        for u in (0.0, 0.5, 1.0):
            LotteryConfig().override(factor.hparams(factor.distribution.from_unit(u)))
    usual = section.partition("Usual paths:")[2].partition(". A path")[0]
    named = [path.replace(".LAYER", "") for path in re.findall(r"`([\w.]+)`", usual)]
    assert len(named) > 10
    assert set(named) <= {*LotteryConfig().paths()}


def test_no_page_has_a_placeholder():
    marks = {page: re.findall(r"@[A-Z]+@|TODO|TBD", page.read_text()) for page in PAGES}
    assert {page: found for page, found in marks.items() if found} == {}


def test_the_readmes_speed_is_that_of_the_committed_benchmark():
    latest = read_json(markdown.LATEST)
    readme = (ROOT / "README.md").read_text()
    lines = markdown.levels(latest) + markdown.bars(latest)
    assert [line for line in lines if line not in readme] == []


def test_the_committed_benchmark_judges_every_bar():
    latest = read_json(markdown.LATEST)
    figures = {key: latest[key] for key in bars.BARS}
    assert all(isinstance(value, float) for value in figures.values())
    assert latest["bars"] == bars.judged(figures)


PEERS = (ROOT / "docs" / "peers.md").read_text()
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
EVERY_FRACTION = LotteryConfig(
    levels=1, prune=PruneConfig(fractions={"fc1": 0.2, "conv": 0.2, "out": 0.1})
)


def peer_rows() -> list[list[str]]:
    """Returns the cells of every row of the page's tables, without their heads."""
    lines = [line for line in PEERS.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row[-1] != "test"]


@functools.cache
def defined_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_page_of_the_peers_names_what_there_is():
    rows = peer_rows()
    assert len(rows) > 90
    nodes = NODE.findall(PEERS)
    assert [f"{path}::{name}" for path, name in nodes if name not in defined_in(path)] == []
    # Only what is not here at all may lack a test.
    assert [row for row in rows if not NODE.search(row[-1]) and row[1] != "no"] == []


def test_every_field_and_command_of_the_page_of_the_peers_is_one():
    names = re.findall(r"`([^`]+)`", NODE.sub("", PEERS))
    paths = {*LotteryConfig().paths(), *(name for name in vars(StudyConfig(name="x")))}
    columns = {*MEASURES, *LAYERS}
    others = {"records.parquet", "layers.parquet", "report.html", "make test", "argv"}
    others |= {
        "python -m pytest TEST",
        "pip install -e .",
        "--round_mask",
        "tests/whole/test_peer_faults.py",
    }
    for name in names:
        if name.startswith("lttune "):
            check_command(name.split()[1:])
        elif " = " in name:
            check_settings(name)
        elif name.startswith("lttune."):
            path, _, attribute = name.rpartition(".")
            assert hasattr(importlib.import_module(path), attribute), name
        elif name.startswith("--"):
            assert name in others or name.removeprefix("--").removeprefix("lottery.") in paths, name
        else:
            assert name in paths | columns | others, name


def check_command(words: list[str]) -> None:
    command = importlib.import_module(command_line.commands()[words[0]])
    assert tyro.cli(command.Flags, args=words[1:]) is not None


def check_settings(text: str) -> None:
    """Has the command line read "field = value, field = value"."""
    arguments = []
    for setting in text.split(", "):
        path, _, value = setting.partition(" = ")
        flag = f"--lottery.{path}" if path in EVERY_FRACTION.paths() else f"--{path}"
        arguments += [flag, *(value.split() if value != "True" else [])]
    default = StudyConfig(name="x", lottery=EVERY_FRACTION)
    assert tyro.cli(StudyConfig, default=default, args=arguments) is not None


def test_lttune_commands_of_the_readme_are_understood():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = re.findall(r"^lttune ([^#\n]+)", "".join(blocks), re.M)
    assert len(lines) >= 4
    for line in lines:
        check_command(line.split())


def test_the_readme_lists_every_study():
    listed = set(re.findall(r"\]\(studies/(\w+\.py)\)", (ROOT / "README.md").read_text()))
    assert listed == {path.name for path in (ROOT / "studies").glob("*.py")}
