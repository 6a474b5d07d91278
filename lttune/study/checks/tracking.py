"""Whether MLflow's store outlives the cluster that a study joins."""

from __future__ import annotations

from lttune.config.passwords import masked_uri
from lttune.errors import ConfigError
from lttune.study.settings import StudyConfig
from lttune.study.tracking.uri import field_of, resolve, sqlite_path, sqlite_uri

SHARED_STORE = "mlflow.db"
"""Name of the database in the folder of results, as it is proposed."""


def check_tracking(config: StudyConfig) -> None:
    """Checks the tracking URI, and where a SQLite file lies of a study that joins a cluster.

    Such a study is driven on a machine of the cluster, often on one that is made for it: a file
    there is found by no other machine and ends with it. What is in ``out`` every node sees.

    Raises:
        ConfigError: naming the flag or the variable, its rule and its value.
    """
    uri = resolve(config.tracking_uri)
    path = sqlite_path(uri)
    if config.has_own_ray or path is None:
        return
    out = config.out.absolute()
    if out.resolve() not in path.resolve().parents:
        better = sqlite_uri(out / SHARED_STORE)
        raise ConfigError(
            f"{field_of(config.tracking_uri)} must be a server or a SQLite file in out ({out}) "
            f"with --address, because a file elsewhere ends with its machine, got "
            f"{masked_uri(uri)!r}; give --tracking-uri {better}"
        )
