"""How much of a study's core time was not spent on training networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lttune import records
from lttune.errors import DataError
from lttune.files import read_json


def share(folder: Path) -> dict[str, Any]:
    """Returns the overhead of a finished study: core seconds per second of training, minus 1.

    0.05 means that starting workers, proposing, writing, waiting and everything else cost 5 % on
    top of training. A network that several rows share was trained once and counts once; one that
    was taken from the store was not trained and does not count.

    Raises:
        DataError: if the folder holds no finished study, or one that trained nothing.
    """
    try:
        wall_s = float(read_json(folder / "trials.json")["wall_s"])
        cores = int(read_json(folder / "study.json")["machine"]["cores"])
    except (FileNotFoundError, KeyError) as error:
        raise DataError(f"{folder} is not the folder of a finished study: {error}") from error
    rows = records.read(folder / "records.parquet")
    trained = {row["cell"]: row["train_time_s"] for row in rows if not row["reused"]}
    train_time_s = sum(trained.values())
    if not train_time_s > 0:
        raise DataError(f"the study in {folder} trained no network, so it has no overhead")
    return {
        "meaning": "wall_s * cores / train_time_s - 1; smaller is better",
        "overhead": wall_s * cores / train_time_s - 1,
        "wall_s": wall_s,
        "cores": cores,
        "networks": len(trained),
        "train_time_s": train_time_s,
    }
