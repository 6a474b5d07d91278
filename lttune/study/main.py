"""The entry of every study script: the command line and the exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tyro

from lttune.config.command_line import parsed, unread_output
from lttune.errors import LttuneError, complaint
from lttune.study.declared import Study
from lttune.study.settings import StudyConfig

INTERRUPTED = 128
"""Least exit code of an interrupted study."""


def main(
    study: Study, report: Callable[[Path], Path], doc: str, argv: list[str] | None = None
) -> int:
    """Reads the command line, runs the study, and returns the exit code.

    Args:
        study: what the study file declares.
        report: writes the report of a study's folder and returns its path.
        doc: the study file's docstring: the help text.
        argv: arguments; None is the command line's.
    """
    began = time.monotonic()
    arguments = sys.argv[1:] if argv is None else argv
    default = study.scales[_scale(arguments, study)]
    with unread_output():
        config = parsed(
            lambda words: tyro.cli(StudyConfig, default=default, description=doc, args=words),
            arguments,
            f"python {study.file.parent.name}/{study.file.name}",
        )
    try:
        # PyTorch, Ray and MLflow take seconds to import: help and mistakes should not wait.
        from lttune.study.conductor import run_study

        code = run_study(config, study, report, began).exit_code
        if code >= INTERRUPTED and argv is None:
            # Interrupted in the middle of a call, Ray (2.60) ends one interpreter in twelve with a
            # segmentation fault. Everything is written, so that nothing is lost by not ending it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        return code
    except LttuneError as error:
        print(complaint(error), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lttune: interrupted", file=sys.stderr)
        return 130


def _scale(arguments: list[str], study: Study) -> str:
    """Returns the scale on the command line: its settings are the other flags' defaults."""
    words = [word for argument in arguments for word in argument.split("=", 1)]
    named = words[words.index("--scale") + 1 :][:1] if "--scale" in words else []
    # An unknown scale is refused by the parser, which lists the valid ones.
    return named[0] if named and named[0] in study.scales else "quick"
