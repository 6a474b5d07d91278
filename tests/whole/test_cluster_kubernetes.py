"""The RayJob passes KubeRay's schema, as far as it is written down here, and fits its image."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = ROOT / "studies" / "cluster"
SCHEMA = json.loads(Path(__file__).with_name("rayjob-schema.json").read_text())
IMAGE = (OURS / "Dockerfile").read_text()


def job() -> dict[str, Any]:
    # As the API server gets it: what an anchor stands for is written twice.
    return copy.deepcopy(json.loads(json.dumps(yaml.safe_load(_text()))))


def _text() -> str:
    return (OURS / "kuberay-rayjob.yaml").read_text()


def test_the_schema_itself_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_kuberay_takes_our_file():
    jsonschema.validate(job(), SCHEMA)


def cluster_of(config: dict[str, Any]) -> dict[str, Any]:
    return config["spec"]["rayClusterSpec"]


def container_of(config: dict[str, Any]) -> dict[str, Any]:
    return cluster_of(config)["headGroupSpec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(apiVersion="ray.io/v1alpha1"),
        lambda c: c["spec"].pop("entrypoint"),
        lambda c: c["spec"].update(submissionMode="SSH"),
        lambda c: c["spec"].update(shutdownAfterJobFinishes=False),
        lambda c: c["spec"].update(ttlSecondsAfterFinish=1),
        lambda c: cluster_of(c).update(rayVersion=2.6),
        lambda c: cluster_of(c)["authOptions"].update(mode="on"),
        lambda c: cluster_of(c)["headGroupSpec"].update(rayStartParams={"num-cpus": 4}),
        lambda c: cluster_of(c)["workerGroupSpecs"][0].pop("groupName"),
        lambda c: container_of(c).pop("image"),
        lambda c: container_of(c)["resources"]["limits"].update(cpu=4),
        lambda c: container_of(c)["env"][0].update(value=0),
    ],
)
def test_what_kuberay_would_refuse_is_refused(change):
    config = job()
    change(config)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, SCHEMA)


def test_the_image_has_the_ray_of_the_environment_and_of_the_job():
    mine = importlib.metadata.version("ray")
    (base,) = re.findall(r"^FROM rayproject/ray:([\d.]+)-py3\d+$", IMAGE, re.MULTILINE)
    (installed,) = re.findall(r"'ray\[default,tune\]==([\d.]+)'", IMAGE)
    assert {base, installed, cluster_of(job())["rayVersion"]} == {mine}


def test_the_image_has_what_the_study_needs():
    copied = re.findall(r"^COPY --chown=\S+ (.+) \S+$", IMAGE, re.MULTILINE)
    sources = [name for line in copied for name in line.split()]
    assert all((ROOT / name).exists() for name in sources)
    about = (ROOT / "pyproject.toml").read_text()
    needed = {*re.findall(r'^(?:readme|license-files) = \[?"(.+?)"', about, re.MULTILINE)}
    packages = re.findall(r"^packages = .*", about, re.MULTILINE)
    needed |= {*re.findall(r'"(\w+)"', "".join(packages))}
    assert needed | {"pyproject.toml", "studies"} <= {*sources}
    words = shlex.split(job()["spec"]["entrypoint"])
    (workdir,) = re.findall(r"^WORKDIR (\S+)$", IMAGE, re.MULTILINE)
    assert words[:4] == ["env", "-C", workdir, "python"]
    assert (ROOT / words[4]).is_file()
