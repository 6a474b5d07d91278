"""A study from its settings to its outcome: everything is checked before anything starts.

Running a study again goes on where it stopped; running a finished study again trains nothing.
"""

from __future__ import annotations

import torch
from filelock import FileLock, Timeout

from lttune.checks import check_objective, check_space
from lttune.conductor import Conductor, Report
from lttune.data import load
from lttune.data.dataset import validation_size
from lttune.errors import LockedError, ResourceError
from lttune.models import build
from lttune.outcome import Outcome
from lttune.settings import Study, StudyConfig
from lttune.sheet import refuse_other, sheet
from lttune.store import probe


def run_study(config: StudyConfig, study: Study, report: Report) -> Outcome:
    """Runs what is missing of a study and writes its report.

    Raises:
        LttuneError: before anything starts, if the study cannot be run as asked.
    """
    if config.device == "cuda" and config.address is None and not torch.cuda.is_available():
        raise ResourceError("device must be cpu here: PyTorch sees no CUDA")
    dataset = load(config.lottery.data.name)
    validation_size(dataset, config.lottery.data.validation)
    network = build(config.lottery.model, dataset.shape, dataset.classes)
    check_space(study.space if "search" in config.phases else {}, config.lottery, network)
    check_objective(config.objective, config.lottery, network)
    values = sheet(config, study, dataset)
    refuse_other(config.folder, values)
    probe(config.store)
    probe(config.folder)
    lock = FileLock(config.folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"another driver is running the study {config.folder}") from None
    with lock:
        return Conductor(config, study, dataset, network, values, report).run()
