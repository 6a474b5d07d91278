"""Where the networks of a study are that lies in somebody's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lttune.config.passwords import masked_uri
from lttune.errors import ConfigError, StorageError
from lttune.store.remote.places import absence


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
    own = _own(sheet)
    if own is not None:
        raise ConfigError(f"--store must be given: the study was run with {masked_uri(str(own))!r}")
    return str(study.parent / "cells")


def require_there(sheet: Mapping[str, Any], store: str | None) -> None:
    """Checks that a store is there at all, for who found nothing in it, or is about to look.

    Args:
        sheet: the study's.
        store: as of ``store_of``; of None there is nothing to mistype.

    Raises:
        StorageError: saying what is not there.
        UnreachableError: if its URL does not tell.
    """
    if store is not None and (lacks := absence(store)):
        own = _own(sheet)
        ran = "without one" if own is None else f"with {masked_uri(str(own))!r}"
        raise StorageError(f"--store is not there: {store}: {lacks}; the study was run {ran}")


def _own(sheet: Mapping[str, Any]) -> object:
    """Returns the store of its own that a study was run with, None without one."""
    config = sheet.get("config")
    return config.get("store") if isinstance(config, Mapping) else None
