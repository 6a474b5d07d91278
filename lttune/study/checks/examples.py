"""The examples that a study can come to, and the lengths of trainings that are passes over them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

from lttune.config.lottery.data import is_path
from lttune.config.own import is_own_code
from lttune.config.rules import Mistakes
from lttune.data import Dataset, load
from lttune.data.epochs import in_steps
from lttune.errors import ConfigError, DataError, StorageError
from lttune.study.settings import StudyConfig


def loaded_datasets(named: Mapping[str, str], mistakes: Mistakes) -> dict[str, Dataset] | None:
    """Returns the datasets, None if one is not had.

    Nothing is fetched for a study that is refused anyway: whether it could be is not known then.

    Args:
        named: name of each -> the setting that names it.
        mistakes: where what is wrong with one is noted.
    """
    fetches = not mistakes.found
    found = dict[str, Dataset | None]()
    for name, path in named.items():
        if fetches or is_path(name) or is_own_code(name):
            found[name] = mistakes.attempt(lambda name=name, path=path: _loaded(name, path))
        else:
            found[name] = None
            with contextlib.suppress(DataError):
                found[name] = load(name, fetches=False)
    had = {name: dataset for name, dataset in found.items() if dataset is not None}
    return had if len(had) == len(found) else None


def _loaded(name: str, path: str) -> Dataset:
    """Returns a dataset; what is wrong with the files of a path is told with its setting."""
    try:
        return load(name)
    except (DataError, StorageError) as error:
        if not is_path(name):
            raise
        raise type(error)(f"{path}: {error}") from error


def with_steps(config: StudyConfig, datasets: Mapping[str, Dataset] | None) -> StudyConfig:
    """Returns settings whose base has the steps of what it gives in epochs, where they can be told.

    Why they cannot is told by ``check_fit``, which counts for each configuration of the study anew.
    """
    with contextlib.suppress(ConfigError):
        if datasets is not None:
            return dataclasses.replace(config, lottery=in_steps(config.lottery, datasets))
    return config
