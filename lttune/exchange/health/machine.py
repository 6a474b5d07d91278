"""All that is looked at where no study is named: this machine, for studies that are to come."""

from __future__ import annotations

from pathlib import Path

from lttune.exchange.health.datasets import kept_findings
from lttune.exchange.health.disks import room_finding, store_findings
from lttune.exchange.health.environment import environment_findings
from lttune.exchange.health.exposure import listening_findings, secret_findings
from lttune.exchange.health.inspection import Inspection
from lttune.exchange.health.tracking import tracking_finding


def machine_findings(
    out: Path, tracking_uri: str | None = None, store: str | None = None
) -> list[Inspection]:
    """Returns what there is to say of this machine; nothing stays made, changed or fetched.

    Args:
        out: where results go; it need not be there yet.
        tracking_uri: as in ``tracking_finding``.
        store: of networks, that is asked whether it can be used; None is not asked.
    """
    return [
        *environment_findings(),
        room_finding(out),
        *store_findings(store),
        *kept_findings(),
        tracking_finding(tracking_uri),
        *listening_findings(),
        *secret_findings(),
    ]
