"""The cluster files pass Ray's own schema and our rules; every rule is shown to be able to fail.

What ``lttune doctor FILE`` looks at is no rule here: that it finds nothing in these files, and what
is planted in them, is in tests/exchange/health/test_cluster_rules.py.
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
KEY = re.compile(
    r"-----BEGIN|\b(AKIA|ASIA)[0-9A-Z]{16}\b|RAY_AUTH_TOKEN\s*=|secret_access_key|session_token"
    r"|\b[0-9a-f]{64}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    re.IGNORECASE,
)


def strings(tree):
    """Every string of a parsed file, keys too; comments are gone by then."""
    if isinstance(tree, dict):
        return [text for item in tree.items() for part in item for text in strings(part)]
    if isinstance(tree, list):
        return [text for part in tree for text in strings(part)]
    return [tree] if isinstance(tree, str) else []


def complaints(raw, text="", ignored=()):
    """Returns the rules beside the doctor's that a cluster file breaks.

    Args:
        raw: the parsed file. Ray's defaults are filled in first, so what it leaves out counts.
        text: the file itself, comments included: a key in a comment is published too.
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
    for command in heads:
        command = command.replace("\n", " ")
        kept, own = "keep_workers.py --autoscaling-config=", "ray start [^;|]*--autoscaling-config="
        ok = kept in command if local else re.search(own, command)
        rule(ok, "nobody starts the workers")
    rule(config["file_mounts"].get(TOKEN) == TOKEN, "token file")
    rule(f"chmod 600 {TOKEN}" in setup, "token file's mode")
    rule(re.search(r"mount -t nfs4?\b.* /shared\b", setup), "shared folder")
    rule("pip install -e ~/lttune" in setup, "lttune from the checkout")
    rule(not any(KEY.search(part) for part in [*strings(raw), text]), "key")
    for command in starts:
        before = command.partition("ray start")[0]
        rule("RAY_USAGE_STATS_ENABLED=0" in before, "usage statistics")
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
    assert complaints(load(name), FILES[name].read_text(), gitignore()) == []


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


def tokened(config):
    config["setup_commands"].append(f"export RAY_AUTH_TOKEN={'ab' * 32}")


WORKER_NODE = ("available_node_types", "worker", "node_config")
BAD = [
    ("onprem", replaced("--head", ""), {"one ray start for the head, one for workers"}),
    ("onprem", replaced("keep_workers.py", "other.py"), {"nobody starts the workers"}),
    ("onprem", dropped("worker_start_ray_commands"), {"usage statistics"}),
    ("onprem", dropped("file_mounts", TOKEN), {"token file"}),
    ("onprem", replaced("chmod 600", "chmod 644"), {"token file's mode"}),
    ("onprem", replaced("mount -t nfs", "true"), {"shared folder"}),
    ("onprem", replaced("pip install -e ~/lttune", "pip install"), {"lttune from the checkout"}),
    ("onprem", dropped("rsync_exclude"), {".git is copied", "scratch comes home"}),
    (
        "onprem",
        dropped("rsync_filter"),
        {".venv is copied", "results is copied", "mlruns is copied"},
    ),
    ("onprem", tokened, {"key"}),
    ("aws", dropped("head_start_ray_commands"), {"usage statistics"}),
    ("gcp", replaced("RAY_USAGE_STATS_ENABLED=0", ""), {"usage statistics"}),
    ("aws", dropped(*WORKER_NODE, "SubnetIds"), {"subnet"}),
]


@pytest.mark.parametrize(("name", "change", "expected"), BAD)
def test_a_broken_rule_is_named(name, change, expected):
    config = copy.deepcopy(load(name))
    change(config)
    assert set(complaints(config, ignored=gitignore())) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "RAY_AUTH_TOKEN=x",
        "# token: " + "0f" * 32,
        "123e4567-e89b-12d3-a456-426614174000",
    ],
)
def test_a_key_is_found_in_comments_too(text):
    assert complaints(load("onprem"), text, gitignore()) == ["key"]
