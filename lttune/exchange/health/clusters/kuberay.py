"""RayJobs of KubeRay: a cluster on Kubernetes that runs one study."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lttune.exchange.health.clusters.file import (
    EVERYWHERE,
    OUT,
    WHO_CONNECTS,
    ClusterFile,
    FileRule,
    as_list,
    at,
    lies_in,
    named_store,
    other_ray,
    texts_in,
)
from lttune.store.remote.url import is_url

_STATISTICS = "RAY_USAGE_STATS_ENABLED"
_ALL_SEE = ("persistentVolumeClaim", "nfs", "csi")
"""Kinds of volumes that pods on several machines can share."""
_LIMITED = ("cpu", "memory")
_CLAIM = "PersistentVolumeClaim"


_ZERO = re.compile(r"0+(\.0*)?[A-Za-z]*")


def rayjob_file(config: Mapping[str, Any], others: Sequence[Any], raw: str) -> ClusterFile:
    """Returns what is looked at of a RayJob.

    Args:
        config: what it says.
        others: what the other documents of its file say.
        raw: the file as it is written.
    """
    made = [at(one, "metadata", "name") for one in others if at(one, "kind") == _CLAIM]
    entrypoint = at(config, "spec", "entrypoint")
    folders = [{*_mounted(pod)} for _, pod in _pods(config)]
    head, *_ = folders
    return ClusterFile(
        config=config,
        texts=[*texts_in([config, *others])],
        raw=raw,
        shared=sorted(set.intersection(*folders)),
        kept=sorted(head),
        study=entrypoint if isinstance(entrypoint, str) else "",
        claims=[one for one in made if isinstance(one, str)],
    )


def _pods(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields head and workers, and what their pods are to be like."""
    cluster = at(config, "spec", "rayClusterSpec")
    yield "the head", at(cluster, "headGroupSpec", "template", "spec")
    for group in as_list(at(cluster, "workerGroupSpecs")):
        yield f"group {at(group, 'groupName')!r}", at(group, "template", "spec")


def _mounted(pod: Any) -> Iterator[str]:
    """Yields where Ray's container has volumes that pods on several machines share."""
    volumes = as_list(at(pod, "volumes"))
    names = [at(one, "name") for one in volumes if any(at(one, kind) for kind in _ALL_SEE)]
    for one in as_list(at(_container(pod), "volumeMounts")):
        folder = at(one, "mountPath")
        if at(one, "name") in names and isinstance(folder, str):
            yield folder


def _container(pod: Any) -> Any:
    """Returns the one that runs Ray: the first."""
    return next(iter(as_list(at(pod, "containers"))), None)


def _without_token(file: ClusterFile) -> str:
    mode = at(file.config, "spec", "rayClusterSpec", "authOptions", "mode")
    return "" if mode == "token" else "Ray is started without a token"


def _open_ports(file: ClusterFile) -> str:
    head = at(file.config, "spec", "rayClusterSpec", "headGroupSpec")
    if at(head, "serviceType") in ("LoadBalancer", "NodePort"):
        return f"serviceType {at(head, 'serviceType')} opens the head's ports beyond Kubernetes"
    if at(head, "enableIngress"):
        return "enableIngress opens the dashboard beyond Kubernetes"
    for name, pod in _pods(file.config):
        ports = as_list(at(_container(pod), "ports"))
        if at(pod, "hostNetwork") or any(at(one, "hostPort") for one in ports):
            return f"{name} listens on its machine's own addresses"
    return ""


def _version(file: ClusterFile) -> str:
    version = at(file.config, "spec", "rayClusterSpec", "rayVersion")
    return "rayVersion is missing" if version is None else other_ray(str(version))


def _without_resources(file: ClusterFile) -> str:
    for name, pod in _pods(file.config):
        limits = at(_container(pod), "resources", "limits")
        lacks = [one for one in _LIMITED if at(limits, one) in (None, "")]
        zero = next((one for one in _LIMITED if _ZERO.fullmatch(str(at(limits, one)))), None)
        if zero:
            return f"{name} has a limit of {zero} that is nothing: {at(limits, zero)}"
        if lacks:
            return f"{name} has no limit of {' and '.join(lacks)}: Ray would take the machine's"
    return ""


def _idle_workers(file: ClusterFile) -> str:
    groups = as_list(at(file.config, "spec", "rayClusterSpec", "workerGroupSpecs"))
    is_idle = any(at(one, "replicas") != 0 for one in groups) and "--address" not in file.study
    return "the entrypoint has no --address: it starts its own on the head" if is_idle else ""


def _with_statistics(file: ClusterFile) -> str:
    # The head sends them.
    head = _container(
        at(file.config, "spec", "rayClusterSpec", "headGroupSpec", "template", "spec")
    )
    variables = as_list(at(head, "env"))
    given = [at(one, "value") for one in variables if at(one, "name") == _STATISTICS]
    if given[-1:] == ["0"] or at(head, "envFrom"):
        return ""
    return f"Ray sends them to its makers: {_STATISTICS} is {given[-1] if given else 'not set'}"


def _other_claim(file: ClusterFile) -> str:
    used = dict[str, str]()
    for name, pod in _pods(file.config):
        for volume in as_list(at(pod, "volumes")):
            claim = at(volume, "persistentVolumeClaim")
            if claim is None:
                continue
            given = at(claim, "claimName")
            if not isinstance(given, str) or not given:
                return f"volume {at(volume, 'name')!r} of {name} has no claimName"
            used.setdefault(given, name)
    # One that the file does not make may be there already, unless the one that it makes is unused.
    unused = next((one for one in file.claims if one not in used), None)
    other = next((one for one in used if one not in file.claims), None)
    if unused is None or other is None:
        return ""
    return f"claimName {other!r} of {used[other]} is not that of the file's claim, {unused!r}"


def _without_folder(file: ClusterFile) -> str:
    out = OUT.findall(file.study)
    if not out:
        return "the study has no --out: its results end with the pod"
    store = named_store(file)
    if is_url(store) or (store and lies_in(store, file.shared)):
        found = lies_in(out[-1], file.kept)
        return "" if found else f"--out {out[-1]} is in no volume that outlives the head's pod"
    flag, place = ("--store", store) if store else ("--out", out[-1])
    found = lies_in(place, file.shared)
    return "" if found else f"{flag} {place} is in no volume that head and workers share"


RAYJOB_RULES: tuple[FileRule, ...] = (
    ("who may run code", _without_token, "write `authOptions: {mode: token}` in rayClusterSpec"),
    WHO_CONNECTS,
    (
        "what is opened",
        _open_ports,
        "leave it out, with serviceType ClusterIP, and use `kubectl port-forward`",
    ),
    (
        "usage statistics",
        _with_statistics,
        'write `{name: RAY_USAGE_STATS_ENABLED, value: "0"}` in env of the head\'s container',
    ),
    ("the study's Ray", _idle_workers, "write --address auto in the entrypoint"),
    ("rayVersion", _version, "write the version that is installed here, which the image has too"),
    (
        "resources of nodes",
        _without_resources,
        "give its container `resources: {limits: {cpu: N, memory: M}}`",
    ),
    (
        "the shared folder",
        _without_folder,
        "mount a claim of accessModes [ReadWriteMany] in all pods, and give --out inside it; with "
        "--store s3://BUCKET/PREFIX one of the head's alone will do",
    ),
    ("the volumes' claims", _other_claim, "write claimName as the claim's metadata says"),
    *EVERYWHERE,
)
