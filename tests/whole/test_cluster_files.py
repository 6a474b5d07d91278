"""The cluster files pass Ray's own schema and our rules; every rule is shown to be able to fail.

What ``lttune doctor FILE`` looks at is no rule here: that it finds nothing in these files, and what
is planted in them, is in tests/exchange/health (test_cluster_rules.py, test_cluster_mistakes.py).
"""

import copy
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[2]
FILES = {name: ROOT / "studies" / "cluster" / f"{name}.yaml" for name in ("onprem", "aws", "gcp")}
TOKEN = "~/.ray/auth_token"


def strings(tree):
    """Every string of a parsed file, keys too; comments are gone by then."""
    if isinstance(tree, dict):
        return [text for item in tree.items() for part in item for text in strings(part)]
    if isinstance(tree, list):
        return [text for part in tree for text in strings(part)]
    return [tree] if isinstance(tree, str) else []


def complaints(raw, ignored=()):
    """Returns the rules beside the doctor's that a cluster file breaks.

    Args:
        raw: the parsed file. Ray's defaults are filled in first, so what it leaves out counts.
        ignored: lines of the checkout's .gitignore.
    """
    config = prepare_config(copy.deepcopy(raw))
    starts = [
        command
        for node in ("head", "worker")
        for command in config[f"{node}_start_ray_commands"]
        if "ray start" in command
    ]
    heads = [command for command in starts if "--head" in command]
    setup = "\n".join(config["setup_commands"])
    local = config["provider"]["type"] == "local"
    found = []

    def rule(ok, complaint):
        if not ok:
            found.append(complaint)

    rule(len(starts) == 2 and len(heads) == 1, "one ray start for the head, one for workers")
    rule(config["file_mounts"].get(TOKEN) == TOKEN, "token file")
    rule(re.search(r"mount -t nfs4?\b.* /shared\b", setup), "shared folder")
    rule("pip install -e ~/lttune" in setup, "lttune from the checkout")
    rule({"/*/ray/", ".*.tmp"} <= {*config["rsync_exclude"]}, "scratch comes home")
    excluded = list(config["rsync_exclude"])
    excluded += ignored if ".gitignore" in config["rsync_filter"] else []
    for name in (".git", ".venv", "results", "mlruns"):
        rule(name in {pattern.strip("/") for pattern in excluded}, f"{name} is copied")
    nodes = config["available_node_types"].values()
    if config["provider"]["type"] == "gcp":
        own = all("subnetwork" in n["node_config"]["networkInterfaces"][0] for n in nodes)
        rule(own, "subnet")
    elif not local:
        for node in nodes:
            rule(node["node_config"].get("SubnetIds"), "subnet")
    return found


def load(name):
    return yaml.safe_load(FILES[name].read_text())


def gitignore():
    return (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", FILES)
def test_ray_accepts_the_file(name):
    validate_config(prepare_config(load(name)))


@pytest.mark.parametrize("name", FILES)
def test_the_file_keeps_our_rules(name):
    assert complaints(load(name), gitignore()) == []


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_shell(name):
    commands = [c for key, group in load(name).items() if key.endswith("_commands") for c in group]
    assert len(commands) >= 8
    for command in commands:
        subprocess.run(["bash", "-n", "-c", f"({command})"], check=True)


def test_workers_all_start_at_once():
    config = prepare_config(load("onprem"))
    node = config["available_node_types"]["local.cluster.node"]
    assert node["min_workers"] == node["max_workers"] == len(config["provider"]["worker_ips"])
    for name in ("aws", "gcp"):
        worker = load(name)["available_node_types"]["worker"]
        assert worker["min_workers"] == worker["max_workers"] == load(name)["max_workers"]


def test_all_files_install_the_ray_that_the_project_allows():
    allowed = (ROOT / "pyproject.toml").read_text()
    ((low, high),) = re.findall(r'"ray\[tune\]>=([\d.]+),<([\d.]+)"', allowed)
    for name in FILES:
        (version,) = re.findall(r"'ray\[default,tune\]==([\d.]+)'", "\n".join(strings(load(name))))
        parts = [tuple(map(int, v.split("."))) for v in (low, version, high)]
        assert parts[0] <= parts[1] < parts[2]


def replaced(old, new):
    """A change of every command of the file."""

    def change(config):
        for name in list(config):
            if name.endswith("_commands"):
                config[name] = [command.replace(old, new) for command in config[name]]

    return change


def dropped(*path):
    """The file without one entry."""

    def change(config):
        for name in path[:-1]:
            config = config[name]
        del config[path[-1]]

    return change


WORKER_NODE = ("available_node_types", "worker", "node_config")
BAD = [
    ("onprem", replaced("--head", ""), {"one ray start for the head, one for workers"}),
    ("onprem", dropped("file_mounts", TOKEN), {"token file"}),
    ("onprem", replaced("mount -t nfs", "true"), {"shared folder"}),
    ("onprem", replaced("pip install -e ~/lttune", "pip install"), {"lttune from the checkout"}),
    ("onprem", dropped("rsync_exclude"), {".git is copied", "scratch comes home"}),
    (
        "onprem",
        dropped("rsync_filter"),
        {".venv is copied", "results is copied", "mlruns is copied"},
    ),
    ("aws", dropped(*WORKER_NODE, "SubnetIds"), {"subnet"}),
]


@pytest.mark.parametrize(("name", "change", "expected"), BAD)
def test_a_broken_rule_is_named(name, change, expected):
    config = copy.deepcopy(load(name))
    change(config)
    assert set(complaints(config, ignored=gitignore())) == expected
