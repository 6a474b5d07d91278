"""The machines on which the README of studies/cluster is followed, and its commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

from hosts import DAEMON, HOME

from lttune.data import data_folder

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "studies" / "cluster"
NODES = ("head", "worker1", "worker2")
CHECKOUT = f"{HOME}/checkout"
VENV = f"{HOME}/lttune-venv"
SITE = Path(sysconfig.get_paths()["purelib"]).relative_to(sys.prefix)
SCRIPTS = {
    "ray": "from ray.scripts.scripts import main",
    "pip": "from pip._internal.cli.main import main",
}
"""Entry points that pip leaves away where it finds the package outside of an environment."""


def packages(folder: Path) -> Path:
    """Makes an environment with what the nodes' needs beyond that of the tests: Ray's dashboard.

    The nodes have no way to an index, so it is fetched before.
    """
    base = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    (folder / SITE / "machine.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    wanted = [f"ray[default,tune]=={version('ray')}", "editables"]
    command = [folder / "bin" / "python", "-m", "pip", "install", "-q", *wanted]
    subprocess.run(command, check=True, capture_output=True)
    _scripts(folder, folder)
    return folder


def _scripts(folder: Path, prefix: str | Path) -> None:
    """Writes the entry points of an environment that will be known by a prefix."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    for name, line in SCRIPTS.items():
        text = f"#!{prefix}/bin/python\nimport sys\n{line}\nsys.exit(main())\n"
        _program(folder / "bin" / name, text)


def files(folder: Path, fetched: Path) -> dict[str, Path]:
    """Writes each host's own files; returns where those of each are."""
    key = folder / "key"
    _key(key)
    given = {name: folder / name for name in ("laptop", *NODES)}
    for own in given.values():
        ssh, home = own / "etc" / "ssh", own / HOME[1:]
        ssh.mkdir(parents=True)
        home.mkdir(parents=True)
        _key(ssh / "of_the_host")
        (ssh / "of_the_daemon").write_text(DAEMON)
        shutil.copy(f"{key}.pub", ssh / "of_the_cluster")
        local = own / "usr" / "local" / "bin"
        local.mkdir(parents=True)
        base = Path(sys.base_prefix) / "bin" / "python3"
        # A link would have Python look for its library beside the link.
        _program(local / "python3", f'#!/bin/sh\nexec {shlex.quote(str(base))} "$@"\n')
        (home / ".bashrc").touch()
    for name in NODES:
        _node(given[name], fetched)
    laptop = given["laptop"] / HOME[1:]
    (laptop / ".ssh").mkdir()
    shutil.copy(key, laptop / ".ssh" / "lttune_cluster")
    _checkout(laptop / Path(CHECKOUT).name)
    return given


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _node(own: Path, fetched: Path) -> None:
    """Gives a node an environment in which nothing is left to fetch, a data set, and sudo."""
    home, venv = own / HOME[1:], own / VENV[1:]
    (venv / SITE).mkdir(parents=True)
    sites = [fetched / SITE, sysconfig.get_paths()["purelib"]]
    (venv / SITE / "machine.pth").write_text("".join(f"{site}\n" for site in sites))
    _scripts(venv, VENV)
    settings = home / ".config" / "pip"
    settings.mkdir(parents=True)
    text = "[global]\nno-index = true\n[install]\nno-build-isolation = false\n"
    (settings / "pip.conf").write_text(text)
    data = home / ".cache" / "lttune"
    data.mkdir(parents=True)
    shutil.copytree(data_folder() / "mnist", data / "mnist")
    if not shutil.which("sudo"):
        text = '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n'
        _program(own / "usr" / "local" / "bin" / "sudo", text)


def _checkout(folder: Path) -> None:
    """Copies what git would give of this checkout, and what is not committed yet."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    known = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    there = "".join(f"{name}\n" for name in known.splitlines() if (ROOT / name).exists())
    synced = ["rsync", "-a", "--files-from=-", ".", str(folder)]
    subprocess.run(synced, cwd=ROOT, check=True, input=there, text=True)


def edited(text: str, head: str, workers: list[str]) -> str:
    """Writes hosts and their user into the lines of onprem.yaml that are marked."""
    values = {"head_ip": head, "worker_ips": f"[{', '.join(workers)}]", "ssh_user": "root"}
    for name, value in values.items():
        text, count = re.subn(rf"^(  {name}): .*# EDIT$", rf"\1: {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    return text


def commands(heading: str = "# ") -> list[str]:
    """Returns the first commands below a heading of the README, for the smoke study on-prem."""
    below = (CLUSTER / "README.md").read_text().partition(heading)[2]
    block = below.split("```sh\n")[1].partition("```")[0]
    lines = block.replace("aws.yaml", "onprem.yaml").replace("--scale quick", "--scale smoke")
    return [re.sub(r"^ray (up|down)\b", r"ray \1 -y", line) for line in lines.splitlines()]


def in_checkout(command: str) -> str:
    """Returns a command for the laptop's checkout."""
    return f"cd {shlex.quote(CHECKOUT)}; {command}"
