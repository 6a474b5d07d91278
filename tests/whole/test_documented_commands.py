"""Every command that a page shows is run, here or by a test that is named, or is said not to be.

Those of ``lttune`` are run page by page, in the order in which they stand, in a folder with a study
of three names.
"""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest
import stored_study
import torch
from digits_study import LOTTERY

from lttune.__main__ import commands, main
from lttune.exchange.health.repair import repair
from lttune.exchange.tickets import Place, find_network
from lttune.store.plain_json import read_json, write_json

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES.append(ROOT / "studies" / "cluster" / "README.md")

STANDS_FOR = {
    "fashion-mnist": "./own.npz",
    "http://HOST:PORT": "sqlite:///other.db",
    "s3://my-bucket/lttune": "results/cells",
}
"""What a page says -> what needs neither the network nor a server."""

SMOKE = "tests/whole/test_studies.py::test_it_ends_complete_with_a_report"
HELP = "tests/whole/test_docs.py::test_every_study_explains_itself"
PLAN = "tests/config/test_steps.py::test_a_study_speaks_before_what_it_needs_is_loaded"
CLUSTER = "needs a cluster; tests/whole/test_cluster.py has one of two nodes on one machine"
HOSTS = "needs a cluster; tests/scale/test_hosts.py has one of three hosts without locks"
UNSHARED = "needs a bucket; tests/whole/test_cluster_unshared.py has one on this machine"
BY_HAND = "likewise; at a port that others may have"
TEAM_FILE = "tests/whole/test_team_mlflow.py"
TEAM = f"{TEAM_FILE}::test_a_study_logs_in_and_its_files_lie_with_the_server"
PAGE = "test_the_page_asks_for_a_login_and_shows_what_is_shared"
BACKUP = f"{TEAM_FILE}::test_a_backup_is_all_that_a_new_server_needs"
INSTALLS = "installs what tests/whole/test_team_mlflow.py is skipped without"
SHARDS = (
    "tests/study/test_shards.py::test_shards_and_then_the_study_give_what_the_study_alone_gives"
)
RUN_BY = {
    "lttune importance results/my-study": (
        "tests/analysis/report/test_importance_command.py::"
        "test_the_command_prints_what_each_method_answers_and_the_report_shows_it"
    ),
    "python studies/lenet_sensitivity.py --help": HELP,
    "python studies/lenet_sensitivity.py --plan": PLAN,
    "python studies/lenet_sensitivity.py --scale smoke": SMOKE,
    "mlflow ui --backend-store-uri sqlite:///mlflow.db": (
        "tests/study/test_outcome.py::"
        "test_the_command_that_is_printed_opens_mlflow_beside_files_of_an_old_one"
    ),
    "mlflow ui --backend-store-uri sqlite:///results/mlflow.db": (
        "tests/study/test_outcome.py::"
        "test_the_command_that_is_printed_opens_mlflow_beside_files_of_an_old_one"
    ),
    "mlflow ui --backend-store-uri sqlite:////home/me/lttune/mlflow.db": (
        "tests/study/test_outcome.py::"
        "test_the_command_that_is_printed_opens_mlflow_beside_files_of_an_old_one"
    ),
    "python my_study.py": (
        "tests/study/test_own_network_study.py::test_records_and_report_have_every_network"
    ),
    "python parts_study.py": (
        "tests/study/test_own_parts_study.py::test_records_name_the_parts_and_report_is_written"
    ),
    "python gain_study.py": (
        "tests/study/test_own_objective_study.py::test_trials_have_the_number_of_the_function"
    ),
    "python parts_study.py --name looked --lottery.train.measure ./look.py:look": (
        "tests/study/test_measured_study.py::test_records_have_what_was_measured_of_every_network"
    ),
    "lttune export results/patches --level 2": (
        "tests/study/test_own_network_study.py::test_a_ticket_is_exported_without_the_code"
    ),
    "python mine.py": (
        "tests/commands/test_new.py::test_a_written_study_of_digits_and_a_lenet_runs_to_its_answer"
    ),
    "python mine.py --scale paper --plan": PLAN,
    "python mine.py --scale paper --max-time 2h": (
        "tests/study/test_time_limit.py::test_a_real_run_ends_in_time"
    ),
    "python mine.py --scale paper --from results/mine-quick --name mine-again": (
        "tests/study/test_from_study.py::test_a_study_from_another_runs_and_goes_on"
    ),
    "python studies/lenet_sensitivity.py --scale quick --out /shared/results --shard 3/16": SHARDS,
    "python studies/lenet_sensitivity.py --scale quick --out /shared/results": SHARDS,
    "python docs/screenshots.py sqlite:///mlflow.db my-study docs/figures": (
        "tests/study/tracking/test_mlflow_ui.py::test_the_walk_through_has_its_pictures"
    ),
    "python studies/lenet_claims.py --scale smoke --address 127.0.0.1:6379 --tracking-uri "
    "sqlite:///results/mlflow.db": (
        "tests/whole/test_cluster.py::test_a_study_runs_on_every_node_of_a_cluster"
    ),
    "studies/cluster/mlflow.sh user anna ben": TEAM,
    "studies/cluster/mlflow.sh share --all anna ben": f"{TEAM_FILE}::{PAGE}",
    "studies/cluster/mlflow.sh share anna-lenet ben": (
        f"{TEAM_FILE}::test_a_user_sees_what_is_shared_and_nothing_else"
    ),
    "python studies/lenet_sensitivity.py --scale smoke --name anna-lenet "
    "--tracking-uri http://127.0.0.1:5000": TEAM,
    "lttune claims decide results/my-long --script studies/lenet_claims.py --budget 2h": (
        "tests/whole/test_claims_decided.py::test_replicates_are_added_until_claims_are_decided"
    ),
    "pg_dump --format=custom --file=mlflow.dump mlflow": BACKUP,
    "pg_restore --dbname=mlflow --no-owner mlflow.dump": BACKUP,
}
"""Command -> the test that runs it, where the flags that make it short are left out of the page."""

NOT_RUN = {
    "python studies/lenet_claims.py --name my-long --replicates 5": "two hours on 2 cores",
    "python studies/lenet_sensitivity.py": "half an hour on 2 cores",
    "python studies/lenet_sensitivity.py --scale quick --name my-study "
    "--lottery.train.optimizer sgd --lottery.train.lr 0.1": "half an hour on 2 cores",
    "make study": "half an hour on 2 cores",
    "make test": "the tests themselves",
    "make test-all": "the tests themselves",
    "make check": "what decides about a merge runs it",
    "python3 -m venv .venv": "tests/whole/test_wheel.py makes an environment of its own",
    ". .venv/bin/activate": "likewise",
    "pip install -e .": "6 GB of packages; tests/whole/test_wheel.py installs without them",
    "ray get-auth-token --generate > /dev/null && chmod 600 ~/.ray/auth_token": CLUSTER,
    "ray up studies/cluster/aws.yaml": CLUSTER,
    "ray exec studies/cluster/aws.yaml 'ray job submit --submission-id lenet -- env -C lttune "
    "python studies/lenet_sensitivity.py --address auto --out /shared/results --tracking-uri "
    "sqlite:////shared/results/mlflow.db --scale quick'": CLUSTER,
    "ray exec studies/cluster/aws.yaml 'ray job logs -f lenet'": CLUSTER,
    "ray exec studies/cluster/aws.yaml 'ray job status lenet'": CLUSTER,
    "ray exec studies/cluster/onprem.yaml 'cat lttune-workers/log'": CLUSTER,
    "ray exec studies/cluster/aws.yaml 'ray job stop lenet'": CLUSTER,
    "ray rsync-down studies/cluster/aws.yaml /shared/results/ results/": CLUSTER,
    "ray down studies/cluster/aws.yaml": CLUSTER,
    "ray exec studies/cluster/aws.yaml 'ray job submit --submission-id lenet -- env -C lttune "
    "python studies/lenet_sensitivity.py --address auto --out $HOME/results --store /shared/cells "
    "--tracking-uri sqlite:///$HOME/results/mlflow.db --scale quick'": HOSTS,
    "ray rsync-down studies/cluster/aws.yaml results/ results/": HOSTS,
    "ray rsync-down studies/cluster/aws.yaml /shared/cells/ results/cells/": HOSTS,
    "ray exec studies/cluster/aws.yaml -p 5000 'mlflow server --host 127.0.0.1 --port 5000 "
    "--backend-store-uri sqlite:////shared/results/mlflow.db'": CLUSTER,
    "export RAY_AUTH_MODE=token": BY_HAND,
    "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...": UNSHARED,
    "python studies/lenet_sensitivity.py --scale quick --address auto --out results "
    "--tracking-uri sqlite:///results/mlflow.db --store s3://my-bucket/lttune": UNSHARED,
    "ray start --head --port 6379 --num-cpus 1 --include-dashboard false": BY_HAND,
    "ray start --address 127.0.0.1:6379 --num-cpus 1": BY_HAND,
    "ray stop": BY_HAND,
    "sudo apt install postgresql": INSTALLS,
    "pip install 'mlflow[auth]>=3.17,<4' psycopg2-binary": INSTALLS,
    'sudo -u postgres createuser "$USER"': "the test's PostgreSQL has another owner",
    'sudo -u postgres createdb --owner="$USER" mlflow': "likewise",
    "nohup studies/cluster/mlflow.sh > mlflow.log 2>&1 &": f"{TEAM_FILE} starts it at another port",
    "until curl -sf http://127.0.0.1:5000/health > /dev/null; do sleep 1; done": "a test waits so",
    "install -D -m 600 anna ~/.mlflow/credentials": "writes into a home",
    "ssh -f -N -L 5000:127.0.0.1:5000 mlflow.example.org": "needs another machine",
    "tar -C ~ -czf mlflow-team.tar.gz mlflow-team": "the test copies the folder",
    "tar -C ~ -xzf mlflow-team.tar.gz": "likewise",
}
"""Command -> why no test runs it."""


def shown(page: Path) -> list[str]:
    """Returns the commands of a page's shell blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S)
    lines = [re.sub(r"\s+#.*$|^#.*$", "", line) for block in blocks for line in block.splitlines()]
    return [line.strip() for line in lines if line.strip()]


def run_here(page: Path) -> list[str]:
    found = [line for line in shown(page) if line not in RUN_BY]
    return [line for line in found if line.startswith("lttune ")]


def test_every_command_of_a_page_is_run_or_is_said_not_to_be():
    found = {line for page in PAGES for line in shown(page)}
    known = {line for page in PAGES for line in run_here(page)} | RUN_BY.keys() | NOT_RUN.keys()
    assert found - known == set()
    # Nothing is excused that no page shows, and nothing twice.
    assert (RUN_BY.keys() | NOT_RUN.keys()) - found == set()
    assert RUN_BY.keys() & NOT_RUN.keys() == set()
    assert not [line for line in NOT_RUN if line.startswith("lttune ")]


@pytest.mark.parametrize("test", sorted(set(RUN_BY.values())))
def test_the_tests_that_run_the_others_are_there(test):
    path, _, name = test.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_page_of_the_commands_has_an_example_of_each():
    examples = [
        line.split()[1] for line in shown(ROOT / "docs" / "commands.md") if "lttune " in line
    ]
    found = dict.fromkeys(examples)  # One of two forms has two.
    assert [name for name in found if name != "studies/lenet_sensitivity.py"] == [*commands()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two trials, two replicates and six levels, and files that pages name."""
    place = tmp_path_factory.mktemp("documented")
    lottery = LOTTERY.override({"levels": 5})
    folder = stored_study.make(
        place / "results", lottery, ({}, {"train.lr": 0.003}), (0, 1), ("reinit",), "my-study"
    )
    listing = read_json(folder / "trials.json")
    trials = [one | {"objective": 0.5, "values": [0.5]} for one in listing["trials"]]
    write_json(folder / "trials.json", {"planned": {"anchor": 2}, "trials": trials})
    repair(folder)  # Its table of layers.
    found = find_network(Place(study=folder, level=5))
    masks = {name: keep.float() for name, keep in found.mask.items()}
    torch.save(masks, place / "mask.pth")
    torch.save(found.weights("start")[0], place / "weights.pt")
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (400, 8, 8)).astype(np.uint8), np.arange(400) % 10
    np.savez(place / "own.npz", train_x=x, train_y=y, test_x=x[:100], test_y=y[:100])
    for name in ("NAME", "my-pilot", "lenet-sensitivity-quick"):
        shutil.copytree(folder, folder.with_name(name))
    return place


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "page", [p for p in PAGES if run_here(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_commands_of_a_page_do_what_they_should(made, page, tmp_path, capsys, monkeypatch):
    place = tmp_path / "place"
    shutil.copytree(made, place)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with contextlib.chdir(place):
        for line in run_here(page):
            words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
            with monkeypatch.context() as patch:
                if line.startswith("lttune doctor"):
                    # Of this machine neither what else runs, nor whose home it is.
                    patch.setattr(psutil, "process_iter", lambda: [psutil.Process()])
                    patch.setenv("HOME", str(tmp_path))
                code = main(words)
            printed = capsys.readouterr()
            assert (code, printed.out != "") == (0, True), (line, printed.out, printed.err)


def mentioned() -> list[str]:
    """Returns the commands that stand in sentences and tables."""
    texts = [re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S) for page in PAGES]
    found = {one for text in texts for one in re.findall(r"`((?:lttune|python) [^`\n]+)`", text)}
    return sorted(found)


@pytest.mark.parametrize("line", mentioned())
def test_a_command_that_is_mentioned_names_what_there_is(line):
    program, name, *rest = line.replace("\\|", "|").split()
    if program == "lttune":
        # "labels" is what a page has its reader write.
        assert name in commands() or name in ("COMMAND", "labels", "--help"), line
    elif name == "-m":
        module = ROOT.joinpath(*rest[0].split("."))
        assert rest[0] == "pytest" or module.with_suffix(".py").exists() or module.is_dir()
    else:
        assert name in ("studies/NAME.py", "FILE") or (ROOT / name).exists()
