"""The files of a team's MLflow: one value each, or settings as MLflow reads them; all secret."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path


class TroubleError(Exception):
    """What the user can mend, in one line."""

    def __init__(self, text: str, exit_code: int = 2) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def login_file(name: str, password: str) -> str:
    """Returns a login as MLflow reads it in ~/.mlflow/credentials."""
    return ini({"mlflow_tracking_username": name, "mlflow_tracking_password": password})


def login(file: Path) -> tuple[str, str]:
    """Returns the name and the password of such a file."""
    read = configparser.ConfigParser()
    read.read_string(file.read_text())
    names = ("mlflow_tracking_username", "mlflow_tracking_password")
    name, password = (read["mlflow"][one] for one in names)
    return name, password


def ini(settings: Mapping[str, str]) -> str:
    """Returns a file of settings as MLflow reads it, where % begins the name of another setting."""
    lines = [f"{name} = {value.replace('%', '%%')}" for name, value in settings.items()]
    return "\n".join(["[mlflow]", *lines, ""])


def kept(file: Path) -> str:
    """Returns what a file of one value says; empty if there is none."""
    return file.read_text().strip() if file.exists() else ""


def write(file: Path, text: str) -> None:
    """Writes a file that nobody else can read, whole or not at all."""
    draft = file.with_name(f".{file.name}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text if text.endswith("\n") else f"{text}\n")
    draft.replace(file)
