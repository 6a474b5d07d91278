"""The entry of every study script: command line, checks before anything starts, exit code.

Running a study again goes on where it stopped; running a finished study again trains nothing.
"""

from __future__ import annotations

import sys

import torch
import tyro
from filelock import FileLock, Timeout

from lttune.conductor import Conductor, Report
from lttune.data import load
from lttune.data.dataset import validation_size
from lttune.errors import LockedError, LttuneError, ResourceError
from lttune.models import build
from lttune.outcome import Outcome
from lttune.settings import StudyConfig, check_objective, check_space
from lttune.sheet import Study, refuse_other, sheet
from lttune.store import probe


def main(study: Study, report: Report, doc: str, argv: list[str] | None = None) -> int:
    """Reads the command line, runs the study, and returns the exit code.

    Args:
        study: what the study file declares.
        report: writes the report of a study's folder and returns its path.
        doc: the study file's docstring: the help text.
        argv: arguments; None is the command line's.
    """
    arguments = sys.argv[1:] if argv is None else argv
    default = study.scales[_scale(arguments, study)]
    config = tyro.cli(StudyConfig, default=default, description=doc, args=arguments)
    try:
        return run_study(config, study, report).exit_code
    except LttuneError as error:
        print(f"lttune: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lttune: interrupted", file=sys.stderr)
        return 130


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


def _scale(arguments: list[str], study: Study) -> str:
    """Returns the scale on the command line: its settings are the other flags' defaults."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = words[words.index("--scale") + 1 :][:1] if "--scale" in words else []
    # An unknown scale is refused by the parser, which lists the valid ones.
    return named[0] if named and named[0] in study.scales else "quick"
