"""Which claims a study was planned for, and by which it is judged: what its report says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lttune.config.rules import CLAIMS_LOCK
from lttune.errors import StorageError
from lttune.store.files import reason_of
from lttune.store.sealed import read_object

if TYPE_CHECKING:
    from analysis.claims import Registry


def lock_facts(folder: Path, registry: Registry | None = None) -> dict[str, str]:
    """Returns which claims a study was planned for, and by which it is judged, for people.

    Args:
        folder: the study's; its lock is read if there is one.
        registry: the claims that the verdicts are of.

    Raises:
        StorageError: if the file there is no lock.
    """
    facts: dict[str, str] = {}
    if registry is not None:
        facts["claims file"] = f"version {registry.version}, SHA-256 {registry.sha256}"
    path = folder / CLAIMS_LOCK
    try:
        locked = read_object(path)
    except FileNotFoundError:
        return {**facts, "locked": "no: nothing was fixed before the study"} if facts else {}
    try:
        sha256, date = str(locked["sha256"]), str(locked["date"])
        planned = sorted({int(n) for n in locked["n"].values()})
        claims = len(locked["n"])
        most = "at most " if locked.get("rule") == "sequential" else ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{path} is no lock: {reason_of(error)}") from None
    same = registry is not None and registry.sha256 == sha256
    which = "that file" if same else f"version {locked.get('version', '?')}, SHA-256 {sha256}"
    facts["locked"] = f"{which}, on {date}"
    n = " to ".join(str(end) for end in dict.fromkeys(planned[:1] + planned[-1:]))
    facts["planned"] = f"{most}n = {n} replicates for {claims} claims" if planned else "no claim"
    return facts
