"""The entries of a study: the command line of its file, with an exit code, and a call."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from lttune.config import LotteryConfig, differences, flatten
from lttune.config.command_line import exit_code_after, parsed, unread_output
from lttune.config.fields import require
from lttune.config.output.help import help_text
from lttune.config.output.steps import steps_shown
from lttune.config.output.unneeded import open_descriptors, unneeded_output
from lttune.config.signals import (
    INTERRUPTED,
    Interrupted,
    end_at_once,
    exit_at_once,
    interrupts_call,
)
from lttune.errors import ResourceError, StorageError, unknown
from lttune.study.declared import Study
from lttune.study.settings import StudyConfig

if TYPE_CHECKING:
    import pandas as pd


def main(
    study: Study, report: Callable[[Path], Path], doc: str, argv: list[str] | None = None
) -> int:
    """Reads the command line, runs the study, and returns the exit code.

    Args:
        study: what the study file declares.
        report: writes the report of a study's folder and returns its path.
        doc: the study file's docstring: the help text.
        argv: arguments; None is the command line's, and this process is then the study's alone: a
            signal ends it at once where no trial is running.
    """
    began = time.monotonic()
    if argv is None:
        open_descriptors()
    with interrupts_call(exit_at_once) if argv is None else contextlib.nullcontext():
        arguments = sys.argv[1:] if argv is None else argv
        default = study.scales[_scale(arguments, study)]
        text = help_text(doc or "")
        with unread_output():
            config = parsed(
                lambda words: tyro.cli(StudyConfig, default=default, description=text, args=words),
                arguments,
                f"python {study.script}",
            )
        with unread_output() if config.plan else unneeded_output():
            alone = argv is None
            return exit_code_after(
                lambda: _run(config, study, report, began, alone=alone), arguments
            )


def _run(
    config: StudyConfig,
    study: Study,
    report: Callable[[Path], Path],
    began: float,
    *,
    alone: bool,
) -> int:
    _require_place()
    lost = _without_ray if alone else None
    first = "loading PyTorch, Ray and MLflow"
    with steps_shown(config.name, first, "stdout") if alone else contextlib.nullcontext():
        # They take seconds to import: help and mistakes should not wait.
        from lttune.study.conductor import run_study

        code = run_study(config, study, report, began, lost).exit_code
    if code >= INTERRUPTED and alone:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        # Interrupted in the middle of a call, Ray (2.60) ends one interpreter in twelve with a
        # segmentation fault. Everything is written, so that nothing is lost by not ending it.
        os._exit(code)
    return code


def _without_ray(name: str) -> None:
    """Ends the process: what waits for a process of Ray that is gone waits for ever."""
    text = f"Ray's {name} has died; run the same command again to go on where it stopped"
    end_at_once(f"lttune: error: {text}", ResourceError.exit_code)


def _require_place() -> None:
    """Raises ``StorageError`` where the folder that this process works in is gone.

    Ray, MLflow and every relative path need one.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise StorageError(
            "the folder that this was started in has been deleted: change to another one"
        ) from None


def _scale(arguments: list[str], study: Study) -> str:
    """Returns the scale on the command line: its settings are the other flags' defaults."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = words[words.index("--scale") + 1 :][:1] if "--scale" in words else []
    # An unknown scale is refused by the parser, which lists the valid ones.
    return named[0] if named and named[0] in study.scales else "quick"


@dataclass(frozen=True, kw_only=True)
class FinishedStudy:
    """What ``run`` leaves."""

    folder: Path
    """The study's: report, tables, figures."""
    exit_code: int
    """0 if it is complete, 1 if a trial failed."""
    report: Path
    """The page; not there after ``plan``."""
    not_tracked: str
    """What MLflow lacks; empty if nothing."""

    @property
    def complete(self) -> bool:
        """Whether every trial that was asked for ended well."""
        return self.exit_code == 0

    def frame(self) -> pd.DataFrame:
        """Returns a row for each trained network: ``records.parquet``.

        Raises:
            StorageError: if it cannot be read, or is not what was written.
        """
        import pandas as pd

        from lttune.records.schema import MEASURES, read

        rows = read(self.folder / "records.parquet")
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=pd.Index(list(MEASURES)))


def run(
    study: Study,
    report: Callable[[Path], Path],
    *,
    scale: str = "quick",
    lottery: LotteryConfig | Mapping[str, Any] | None = None,
    **settings: Any,
) -> FinishedStudy:
    """Runs what is missing of a study, as its file does, from a notebook or another program.

    Nothing ends the process, and no handler of a signal stays behind.

    Args:
        study: what its file declares.
        report: writes the report of a study's folder and returns its path:
            ``analysis.write_report``.
        scale: whose settings are taken.
        lottery: the base configuration, or dotted paths and values that change the scale's.
        settings: other fields of ``StudyConfig``, as the flags are called, ``_`` instead of ``-``.

    Raises:
        LttuneError: if the study cannot be run as asked.
        KeyboardInterrupt: if it is interrupted; every finished network is kept.
    """
    began = time.monotonic()
    if scale not in study.scales:
        raise unknown("scale", scale, study.scales)
    base = study.scales[scale]
    known = [name for name in vars(base) if name not in ("scale", "lottery")]
    for name in settings:
        if name not in known:
            raise unknown("setting", name, known)
    if lottery is not None:
        is_config = isinstance(lottery, LotteryConfig)
        rule = "a LotteryConfig, or dotted paths and values"
        require(is_config or isinstance(lottery, Mapping), "lottery", rule, lottery)
        settings["lottery"] = lottery if is_config else base.lottery.override(lottery)
    if "out" in settings:
        settings["out"] = Path(settings["out"])
    config = dataclasses.replace(base, **settings)
    _require_place()
    from lttune.study.conductor import run_study

    words = ["--scale", scale, *_flags(base, config)]
    try:
        outcome = run_study(config, study, report, began, arguments=words)
    except OSError as error:
        raise StorageError(str(error)) from error
    if outcome.exit_code >= INTERRUPTED:
        raise Interrupted(outcome.exit_code - INTERRUPTED)
    return FinishedStudy(
        folder=config.folder,
        exit_code=outcome.exit_code,
        report=outcome.report,
        not_tracked=outcome.not_tracked,
    )


def _flags(base: StudyConfig, config: StudyConfig) -> list[str]:
    """Returns the flags that make a configuration of another."""
    old, new = (
        flatten(one.plain()) | flatten(one.lottery.nested(), "lottery.") for one in (base, config)
    )
    words: list[str] = []
    for path, (_, value) in differences(old, new).items():
        where, dot, name = path.replace("_", "-").rpartition(".")
        if isinstance(value, bool):
            words.append(f"--{where}{dot}{'' if value else 'no-'}{name}")
        else:
            words += [f"--{where}{dot}{name}", *map(str, value if _is_list(value) else [value])]
    return words


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
