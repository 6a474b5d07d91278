"""A worker of an on-prem cluster that comes back installs nothing that it has already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "studies" / "cluster" / "onprem.yaml"
PIP = """#!/bin/sh
echo "$*" >> "$HOME/asked"
exit "$(cat "$HOME/code")"
"""


class Worker:
    """A machine whose home is a folder: its pip notes what it is asked, and can fail."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "lttune").mkdir()
        (home / "lttune-venv" / "bin").mkdir(parents=True)
        shutil.copy(ROOT / "pyproject.toml", home / "lttune")
        self.program("pip", PIP)
        self.has(sys.executable)

    def program(self, name: str, text: str) -> None:
        path = self.home / "lttune-venv" / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def has(self, python: str) -> None:
        """Has a Python in its environment, by another's packages."""
        self.program("python", f'#!/bin/sh\nexec {python} "$@"\n')

    def set_up(self, is_online: bool, edit: tuple[str, str] = ("", "")) -> tuple[int, list[str]]:
        """Returns the exit code of what installs, and what pip was asked."""
        (self.home / "code").write_text("0" if is_online else "1")
        (self.home / "asked").write_text("")
        text = FILE.read_text().replace(*edit) if edit[0] else FILE.read_text()
        commands = yaml.safe_load(text)["setup_commands"]
        (command,) = [one for one in commands if "pip install" in one]
        env = {**os.environ, "HOME": str(self.home)}
        done = subprocess.run(["bash", "-c", f"({command})"], env=env, check=False)
        return done.returncode, (self.home / "asked").read_text().splitlines()


@pytest.fixture
def worker(tmp_path) -> Worker:
    return Worker(tmp_path)


def test_what_is_there_is_not_asked_for_again(worker):
    asked = [f"install -e {worker.home}/lttune ray[default,tune]==2.60.0"]
    assert worker.set_up(is_online=False) == (1, asked)  # Never was installed, nor is now.
    assert worker.set_up(is_online=True) == (0, asked)
    assert worker.set_up(is_online=False) == (0, [])


def test_what_is_another_one_is_installed(worker):
    assert worker.set_up(is_online=True)[0] == 0
    code, asked = worker.set_up(True, ("==2.60.0", "==2.60.1"))
    assert (code, len(asked)) == (0, 1)
    assert len(worker.set_up(is_online=True)[1]) == 1
    with (worker.home / "lttune" / "pyproject.toml").open("a") as file:
        file.write("# Another version.\n")
    assert len(worker.set_up(is_online=True)[1]) == 1
    assert worker.set_up(is_online=False) == (0, [])


def test_an_environment_that_lost_its_packages_is_installed_anew(worker):
    """As one whose Python the system has replaced."""
    assert worker.set_up(is_online=True)[0] == 0
    worker.has(f"{Path(sys.executable).resolve()} -S")
    assert len(worker.set_up(is_online=True)[1]) == 1
