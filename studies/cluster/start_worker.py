"""Starts or stops one worker of an on-prem cluster, from the head, for ``keep_workers.py``."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import yaml
from ray.autoscaler._private.local.node_provider import LocalNodeProvider
from ray.autoscaler._private.updater import NodeUpdaterThread
from ray.autoscaler._private.util import with_head_node_ip
from ray.autoscaler.tags import NODE_KIND_WORKER, TAG_RAY_NODE_KIND

PORT = 6379
"""Of the head, as onprem.yaml starts it."""


def main() -> int:
    """Does it; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--autoscaling-config", required=True, type=Path, metavar="FILE")
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("worker")
    given = parser.parse_args()
    config = yaml.safe_load(given.autoscaling_config.read_text())
    return ACTIONS[given.action](updater_of(given.worker, config))


def updater_of(worker: str, config: dict[str, Any]) -> NodeUpdaterThread:
    """Returns Ray's own way to set up and start a worker, as its autoscaler would make it."""
    # A state of its own, in which no worker was ever given up.
    provider = LocalNodeProvider(config["provider"], f"{config['cluster_name']}-workers")
    kind = {TAG_RAY_NODE_KIND: NODE_KIND_WORKER}
    provider.create_node({}, kind, len(config["provider"]["worker_ips"]))
    head = head_address(config["provider"]["head_ip"])
    return NodeUpdaterThread(
        node_id=worker,
        provider_config=config["provider"],
        provider=provider,
        auth_config=config["auth"],
        cluster_name=config["cluster_name"],
        file_mounts=config["file_mounts"],
        initialization_commands=with_head_node_ip(config["initialization_commands"], head),
        setup_commands=with_head_node_ip(config["worker_setup_commands"], head),
        ray_start_commands=with_head_node_ip(config["worker_start_ray_commands"], head),
        # Another one each time: a machine that was rebooted has lost its mounts.
        runtime_hash=str(time.time_ns()),
        file_mounts_contents_hash="",
        is_head_node=False,
        cluster_synced_files=config["cluster_synced_files"],
        rsync_options={key: config.get(key) for key in ("rsync_exclude", "rsync_filter")},
        use_internal_ip=True,
        docker_config=config.get("docker"),
    )


def start(updater: NodeUpdaterThread) -> int:
    """Sets up and starts one worker; returns the exit code."""
    updater.run()
    return 0 if updater.exitcode == 0 else 1


def stop(updater: NodeUpdaterThread) -> int:
    """Ends Ray on one worker; returns the exit code."""
    updater.cmd_runner.run("ray stop", timeout=10)
    return 0


ACTIONS = {"start": start, "stop": stop}


def head_process() -> psutil.Process | None:
    """Returns the head's own process: one that is slow to answer has not ended."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "gcs_server" and f"--gcs_server_port={PORT}" in process.cmdline():
                return process
    return None


def head_address(name: str) -> str:
    """Returns where workers reach the head, to which its own name may be a loopback address."""
    found, flag = socket.gethostbyname(name), "--node-ip-address="
    with contextlib.suppress(psutil.Error):
        if found.startswith("127.") and (process := head_process()):
            known = [one.removeprefix(flag) for one in process.cmdline() if one.startswith(flag)]
            found = known[0] if known else found
    return found


if __name__ == "__main__":
    sys.exit(main())
