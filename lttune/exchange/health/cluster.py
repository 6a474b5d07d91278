"""What a file that starts a cluster leaves open or forgets: of ``ray up``, KubeRay or Slurm.

Whoever reaches a cluster's ports may run code there (Ray's documentation, "Security"): the token
and the addresses that it listens on are all that stands between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lttune.errors import ConfigError
from lttune.exchange.health.clusters import batch, kuberay, launcher
from lttune.exchange.health.clusters.file import ClusterFile, FileRule
from lttune.exchange.health.clusters.nodes import NODE_CAUTIONS
from lttune.exchange.health.inspection import Inspection
from lttune.store.files import reason_of
from lttune.store.formats.plain_yaml import parse_yaml
from lttune.store.regular import regular_size
from lttune.store.sealed import read_bytes

BATCH = ".sbatch"
"""What the name of a batch script ends with."""
MOST_BYTES = 1_000_000
"""A cluster file is some kilobytes."""
MOST_DOCUMENTS = 100

_DOCUMENT = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)


def cluster_findings(path: Path) -> list[Inspection]:
    """Returns what there is to say of a file that starts a cluster.

    Raises:
        ConfigError: if it is none.
        StorageError: if it cannot be read.
    """
    data = _content(path)
    if path.suffix == BATCH:
        script = batch.batch_file(_decoded(path, data))
        cautions = _judged(script, batch.BATCH_CAUTIONS, code=0)
        return [*_judged(script, batch.BATCH_RULES), *cautions]
    documents, raw = _parsed(path, data), data.decode(errors="replace")
    jobs = [one for one in documents if _is_rayjob(one)]
    if len(jobs) > 1:
        raise ConfigError(f"{path} must have one RayJob, got {len(jobs)}")
    for job in jobs:
        others = [one for one in documents if one is not job]
        return _judged(kuberay.rayjob_file(job, others, raw), kuberay.RAYJOB_RULES)
    if len(documents) == 1 and isinstance(documents[0].get("provider"), dict):
        file = launcher.launcher_file(documents[0], raw)
        cautions = _judged(file, NODE_CAUTIONS, code=0)
        findings = launcher.launcher_findings(file)
        return [*_judged(file, launcher.LAUNCHER_RULES), *cautions, *findings]
    raise ConfigError(
        f"{path} must be a file for `ray up` or a RayJob: it has no provider, nor apiVersion and "
        "kind of one"
    )


def _is_rayjob(config: dict[str, Any]) -> bool:
    is_rays = str(config.get("apiVersion")).startswith("ray.io/")
    return is_rays and config.get("kind") == "RayJob"


def _judged(
    file: ClusterFile, rules: Iterable[FileRule], code: int = ConfigError.exit_code
) -> list[Inspection]:
    found = []
    for what, trouble_of, mend in rules:
        trouble = trouble_of(file)
        kept = (mend, code) if trouble else ("", 0)
        found.append(Inspection(what=what, trouble=trouble, mend=kept[0], exit_code=kept[1]))
    return found


def _content(path: Path) -> bytes:
    try:
        size = regular_size(path)
    except OSError:
        size = 0  # Whoever reads it says why it cannot be.
    if size > MOST_BYTES:
        raise ConfigError(f"{path} must have at most {MOST_BYTES:,} bytes, got {size:,}")
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise ConfigError(f"{path} is neither a study's folder nor a cluster file") from None


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no script: {error}") from None


def _parsed(path: Path, data: bytes) -> list[dict[str, Any]]:
    """Returns the documents of a file, of which Kubernetes takes several."""
    parts = [one for one in _DOCUMENT.split(data) if one.strip()]
    if len(parts) > MOST_DOCUMENTS:
        raise ConfigError(f"{path} must have at most {MOST_DOCUMENTS} documents, got {len(parts)}")
    try:
        documents = [one for one in map(parse_yaml, parts) if one is not None]
    except ValueError as error:
        raise ConfigError(f"{path} is no YAML: {reason_of(error)[:200]}") from None
    if not documents or not all(isinstance(one, dict) for one in documents):
        raise ConfigError(f"{path} must be a file for `ray up` or a RayJob: it has no provider")
    return documents
