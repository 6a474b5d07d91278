"""Where the networks of a study are that lies in somebody's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lttune.config.passwords import masked_uri
from lttune.errors import ConfigError


def store_of(study: Path, sheet: Mapping[str, Any], store: str | None) -> str:
    """Returns where a study's networks are: a folder, or a URL.

    Args:
        study: its folder.
        sheet: its sheet. It may be a stranger's: it is no authority for what is connected to, with
            the user's own credentials.
        store: where they are as the user says, None if nothing is said of it.

    Raises:
        ConfigError: if the study was run with a store of its own, and none is said.
    """
    if store is not None:
        return store
    config = sheet.get("config")
    own = config.get("store") if isinstance(config, Mapping) else None
    if own is not None:
        raise ConfigError(f"--store must be given: the study was run with {masked_uri(str(own))!r}")
    return str(study.parent / "cells")
