"""The entries of a study: the command line of its file, with an exit code, and a call."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from lttune.config.command_line import exit_code_after, parsed, unread_output
from lttune.config.fields import WRITABLE, is_writable, require
from lttune.config.lottery.length import STEPS_OF
from lttune.config.output.escaped import coloured_output, say
from lttune.config.output.help import help_text
from lttune.config.output.steps import steps_shown
from lttune.config.output.unneeded import open_descriptors, unneeded_output
from lttune.config.rules import every_mistake, every_rule
from lttune.config.signals import (
    INTERRUPTED,
    end_at_once,
    exit_at_once,
    interrupts_call,
)
from lttune.errors import ResourceError, StorageError
from lttune.store.formats.followed import opened_moment
from lttune.study.checks.packages import require_packages
from lttune.study.checks.unchanged import left, note_state
from lttune.study.declared import Study
from lttune.study.settings import StudyConfig

if TYPE_CHECKING:
    from lttune.study.checks.taken import TakenSettings
    from lttune.study.console.outcome import Outcome

FIRST_STEP = "loading PyTorch, Ray and MLflow"
"""What a study does first: they take seconds to import."""

_FRACTION = re.compile(r"--lottery\.prune\.fractions\.([\w.-]*\w)(=.*)?", re.ASCII | re.DOTALL)
"""The flag of a layer's fraction, or of a kind's."""


def main(
    study: Study, report: Callable[[Path], Path], doc: str, argv: list[str] | None = None
) -> int:
    """Reads the command line, runs the study, and returns the exit code.

    Args:
        study: what the study file declares.
        report: writes the report of a study's folder and returns its path.
        doc: the study file's docstring: the help text.
        argv: arguments; None is the command line's, and this process is then the study's alone: a
            signal ends it at once until Ray is started, or its report written.
    """
    began = time.monotonic()
    if argv is None:
        open_descriptors()
    with interrupts_call(exit_at_once) if argv is None else contextlib.nullcontext():
        arguments = sys.argv[1:] if argv is None else argv
        read: list[StudyConfig] = []
        with unread_output():
            code = exit_code_after(
                lambda: read.append(_settings(arguments, study, doc or "")) or 0, arguments
            )
        if code:
            return code
        (config,) = read
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
    require_place()
    require_packages()
    with steps_shown(config.name, FIRST_STEP, "stdout") if alone else contextlib.nullcontext():
        outcome = unchanged_outcome(config, study, report)
        if outcome is None:
            # They take seconds to import: help and mistakes should not wait.
            from lttune.study.conductor import run_study
            from lttune.study.workers.vital import ASKED_S, Death

            death = Death(tell=_without_ray, wait_s=ASKED_S) if alone else None
            outcome = run_study(config, study, report, began, death)
            note_left(config, study, outcome)
        code = outcome.exit_code
    if code >= INTERRUPTED and alone:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        # Interrupted in the middle of a call, Ray (2.60) ends one interpreter in twelve with a
        # segmentation fault. Everything is written, so that nothing is lost by not ending it.
        os._exit(code)
    return code


def unchanged_outcome(
    config: StudyConfig, study: Study, report: Callable[[Path], Path]
) -> Outcome | None:
    """Returns and prints how a finished study ended, if nothing of it has changed since.

    None if it may have something to do: also if its report is another than it was, which MLflow
    then lacks.
    """
    page = config.folder / "report.html"
    tracking = left(config, study) if page.is_file() else None
    if tracking is None:
        return None
    before = opened_moment(page)
    if opened_moment(report(config.folder)) != before:
        return None
    # Tables take a while to import, which a study that begins need not wait for.
    from lttune.study.console.outcome import show_again

    return show_again(config, page, tracking)


def note_left(config: StudyConfig, study: Study, outcome: Outcome) -> None:
    """Notes how a study was left, if it is complete and MLflow lacks nothing of it."""
    if outcome.exit_code == 0 and outcome.is_complete and not outcome.not_tracked:
        note_state(config, study, outcome.tracking)


def _without_ray(name: str) -> None:
    """Ends the process: what waits for a process of Ray that is gone waits for ever."""
    text = f"Ray's {name} has died; run the same command again to go on where it stopped"
    end_at_once(f"lttune: error: {text}", ResourceError.exit_code)


def require_place() -> None:
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


def _settings(arguments: list[str], study: Study, doc: str) -> StudyConfig:
    """Returns the settings of a command line, after a line about what is taken of another study.

    Raises:
        SystemExit: after help, or with a line for each mistake.
        LttuneError: if the other study cannot be read; mistakes in flags are told before.
    """
    with every_mistake() as mistakes:
        taken = mistakes.attempt(lambda: _taken(arguments, study))
        # The help shows as defaults what another study's files say.
        with coloured_output() if taken is None else contextlib.nullcontext():
            config = parsed(
                lambda words: _read(words, study, doc, taken),
                arguments,
                f"python {study.script}",
            )
    if taken is not None:
        say(taken.line)
    return config


def _taken(words: Sequence[str], study: Study) -> TakenSettings | None:
    """Returns what ``--from`` asks for, if it is there, at the other study's scale if it has it."""
    folder = _last(words, "--from")
    if folder is None:
        return None
    from lttune.study.checks.taken import taken_settings  # Tables take a while to import.

    given = _given(words)
    scale = _scale(words, study)
    first = taken_settings(Path(folder), study.settings_of(scale), given)
    if _last(words, "--scale") is not None or first.scale not in study.scales:
        return first
    default = study.settings_of(first.scale)
    return taken_settings(Path(folder), default, given)


def _given(words: Sequence[str]) -> set[str]:
    """Returns the dotted paths of the settings that a command line has flags of."""
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    return {flag.removeprefix("--").replace("-", "_") for flag in flags}


def _in_given_unit(config: StudyConfig, words: Sequence[str]) -> StudyConfig:
    """Returns settings whose lengths are in steps where flags give steps, whatever a scale says.

    Raises:
        ConfigError: if flags give a length in both units.
    """
    given = {path.removeprefix("lottery.") for path in _given(words)}
    values = config.lottery.flat()
    asked = [(e, s) for e, s in STEPS_OF.items() if s in given]
    own = {path: values[path] for pair in asked for path in pair if path in given}
    return dataclasses.replace(config, lottery=config.lottery.override(own)) if own else config


def _read(
    words: list[str], study: Study, doc: str = "", taken: TakenSettings | None = None
) -> StudyConfig:
    """Returns the settings that flags give, those of their scale being the defaults.

    Args:
        words: the flags.
        study: what the study file declares.
        doc: its docstring.
        taken: what is taken of another study in place of the scale's settings.

    Raises:
        ConfigError: if the scale is none of the study's, or another field breaks its rule.
    """
    usual = study.usual_scale
    default = study.settings_of(_scale(words, study)) if taken is None else taken.config
    default = _with_layers(default, words)
    text = help_text(f"{doc}\n\nScales: {', '.join(study.scales)}. Without --scale: {usual}.")
    with every_rule() as rules:
        config = tyro.cli(StudyConfig, default=default, description=text, args=words)
        rules.choice("scale", config.scale, study.scales)
        if not rules.broken:
            config = rules.attempt(lambda: _in_given_unit(config, words)) or config
        if taken is not None:
            rule = "another than that of the study that --from names"
            rules.require(config.name != taken.name, "name", rule, config.name, ("name",))
    return config


def _with_layers(default: StudyConfig, words: Sequence[str]) -> StudyConfig:
    """Returns settings that also have a fraction of each layer that a flag gives one.

    Each is a flag then, with the value that all have. Which layers there are only the network
    knows, and what is none of them is told when it is there.
    """
    named = {found[1].replace("-", "_") for word in words if (found := _FRACTION.fullmatch(word))}
    prune = default.lottery.prune
    more = {f"prune.fractions.{name}": prune.fraction for name in named - {*prune.fractions}}
    return dataclasses.replace(default, lottery=default.lottery.override(more)) if more else default


def _scale(words: Sequence[str], study: Study) -> str:
    """Returns the scale that a command line asks for; what is none is told when it is read."""
    asked = _last(words, "--scale")
    return asked if asked is not None and asked in study.scales else study.usual_scale


def _last(words: Sequence[str], flag: str) -> str | None:
    """Returns the last value that a command line gives a flag, None without one."""
    found: str | None = None
    for word, after in itertools.pairwise([*words, ""]):
        if word == flag:
            found = after or None
        elif word.startswith(f"{flag}="):
            found = word.removeprefix(f"{flag}=")
    return found
