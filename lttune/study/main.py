"""The entry of every study script: the command line and the exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tyro

from lttune.config.command_line import exit_code_after, parsed, unread_output
from lttune.config.fields import WRITABLE, is_writable, require
from lttune.config.output.help import help_text
from lttune.config.output.steps import steps_shown
from lttune.config.output.unneeded import open_descriptors, unneeded_output
from lttune.config.signals import (
    INTERRUPTED,
    end_at_once,
    exit_at_once,
    interrupts_call,
)
from lttune.errors import ResourceError, StorageError
from lttune.study.checks.packages import require_packages
from lttune.study.declared import Study
from lttune.study.settings import StudyConfig


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
                f"python {study.file.parent.name}/{study.file.name}",
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
    require_packages()
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
    """Checks the folder that this process works in: Ray, MLflow and every relative path need one.

    Raises:
        StorageError: if it is gone.
        ConfigError: if its name is none that Ray and MLflow can write down.
    """
    try:
        here = str(Path.cwd())
        require(is_writable(here), "the folder that this is started in", WRITABLE, here)
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
