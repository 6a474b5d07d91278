"""What lies open on this machine: Ray's sockets, files with secrets, a study that others change."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import psutil

from lttune.errors import ResourceError, listed
from lttune.exchange.health.inspection import Inspection

RAY_NAMES = ("raylet", "gcs_server", "ray::")
"""What the names of Ray's processes begin with."""
RAY_PROGRAMS = ("site-packages/ray/", "dist-packages/ray/")
"""What the command lines of those name that are Python programs, such as its dashboard."""

SECRET_FILES = {
    "Ray's token": ("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token"),
    "MLflow's login": ("", "~/.mlflow/credentials"),
    "Databricks' login": ("DATABRICKS_CONFIG_FILE", "~/.databrickscfg"),
    "logins of web servers": ("NETRC", "~/.netrc"),
    "keys of AWS": ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    "settings of AWS, which may hold keys,": ("AWS_CONFIG_FILE", "~/.aws/config"),
    "keys of Google": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "~/.config/gcloud/application_default_credentials.json",
    ),
    "logins of Google": ("", "~/.config/gcloud/credentials.db"),
}
"""What it is -> the variable that names the file, and where it is without."""


def listening_findings() -> Iterator[Inspection]:
    """Yields what there is to say of Ray's processes that take other machines' connections.

    It may be meant: the nodes of a cluster must reach each other. Looked at are the processes of
    this user.
    """
    me = psutil.Process().username()
    found: dict[bool, list[str]] = {}
    for process in psutil.process_iter():
        # Some end meanwhile.
        with contextlib.suppress(psutil.Error):
            if process.username() == me and _is_ray(process) and (ports := _open_ports(process)):
                has_token = process.environ().get("RAY_AUTH_MODE", "").lower() == "token"
                about = f"{process.name()} {process.pid} at {listed(ports)}"
                found.setdefault(has_token, []).append(about)
    yield from (_listening(*one) for one in found.items())
    if not found:
        yield Inspection(what="no process of Ray takes connections of other machines")


def _is_ray(process: psutil.Process) -> bool:
    program, *words = [*process.cmdline()[:3], ""]
    names = (process.name(), Path(program).name)
    is_python = any(part in word for part in RAY_PROGRAMS for word in words)
    return any(name.startswith(RAY_NAMES) for name in names) or is_python


def _open_ports(process: psutil.Process) -> list[int]:
    sockets = process.net_connections(kind="inet")
    waiting = [one for one in sockets if one.status == psutil.CONN_LISTEN]
    return sorted({one.laddr.port for one in waiting if not _is_loopback(one.laddr.ip)})


def _is_loopback(address: str) -> bool:
    found = ip_address(address)
    # An address of version 4 may be written as one of version 6.
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def _listening(has_token: bool, found: list[str]) -> Inspection:
    what = f"processes of Ray and their ports: {'; '.join(found)}"
    mend = "close them to all but its nodes (docs/security.md), or `ray stop` if nobody needs it"
    if has_token:
        trouble = "other machines reach them, with a token"
        return Inspection(what=what, trouble=trouble, mend=mend)
    return Inspection(
        what=what,
        trouble="other machines reach them, and run code as you: they were started without a token",
        mend=f"{mend}; start it with RAY_AUTH_MODE=token",
        exit_code=ResourceError.exit_code,
    )


def secret_findings() -> Iterator[Inspection]:
    """Yields what there is to say of each file that holds a secret, of those that are here."""
    for what, (variable, usual) in SECRET_FILES.items():
        yield from secret_finding(what, os.environ.get(variable) or usual)


def secret_finding(what: str, name: str) -> Iterator[Inspection]:
    """Yields whether others can read a file, if it is here."""
    try:
        path = Path(name).expanduser()
        mode = path.stat().st_mode
    except (OSError, RuntimeError, ValueError):  # No file; no home; no name of a file either.
        return
    if not stat.S_ISREG(mode):
        return
    is_open = os.name == "posix" and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
    yield Inspection(
        what=f"{what} {path}",
        trouble=f"others can read it (mode {stat.S_IMODE(mode):o})" if is_open else "",
        mend=f"chmod 600 {path}" if is_open else "",
        exit_code=ResourceError.exit_code if is_open else 0,
    )


def writable_findings(*folders: Path) -> Iterator[Inspection]:
    """Yields for each folder whether others can change what it holds; links are not followed.

    Who can write to a study changes its numbers, and what its driver reads.
    """
    for folder in folders if os.name == "posix" else ():
        open_to_all = [str(path) for path in _inside(folder) if _is_open(path)]
        parent = folder.absolute().parent
        # Where each may remove only their own, as in /tmp, the folder stays what it is.
        if _is_open(parent) and not parent.stat().st_mode & stat.S_ISVTX:
            open_to_all.insert(0, str(parent))
        if open_to_all:
            yield Inspection(
                what=f"who may write to {folder}",
                trouble=f"everybody, {len(open_to_all):,} files and folders: {open_to_all[0]}",
                mend=f"chmod -R o-w {folder}"
                + (f"; chmod o-w {parent}" if open_to_all[0] == str(parent) else ""),
                exit_code=ResourceError.exit_code,
            )
        else:
            yield Inspection(what=f"who may write to {folder}: its owner and group")


def _inside(folder: Path) -> Iterator[Path]:
    """Yields a folder, and everything in it."""
    yield folder
    for root, folders, files in os.walk(folder):
        yield from (Path(root, name) for name in [*folders, *files])


def _is_open(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & stat.S_IWOTH)
