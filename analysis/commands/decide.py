"""Train a study's replicates piece by piece until its claims are decided or a time is over.

Each piece is a run of the study's own file in a process of its own, so that what it trains is what
that command would; it goes on where it was stopped.
"""

from __future__ import annotations

import logging
import math
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lttune.config.fields import duration_s
from lttune.config.lottery.model import is_own_network
from lttune.config.output.escaped import say
from lttune.config.own import is_own_code
from lttune.config.rules import CLAIMS_LOCK
from lttune.config.signals import INTERRUPTED, interrupts_call
from lttune.errors import ConfigError

if TYPE_CHECKING:
    from analysis.claims import Registry
    from analysis.claims.decide.choice import NextPiece
    from analysis.claims.decide.open import ClaimsStanding, OpenClaim
    from analysis.frame import StudyFrame

_LOG = logging.getLogger(__name__)

UNTRAINED_S = 40.0
"""Seconds of a piece that train nothing, about: Ray's start, the report, the verdicts."""
OUT_OF_TIME = 124
"""Exit code of a study that left something out for want of time."""
OURS = ("plan", "max-time", "phases", "replicates", "sweep-replicates", "out", "name", "shard")
"""Flags of a study that a piece gives itself."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be trained."""

    seconds: float
    """How long the command may take."""
    max_n: int | None
    """Replicates above which none is trained; None is what was locked."""
    script: Path | None
    """The study file; None where nothing is trained."""


def decide(folder: Path, registry: Registry, lock_file: Path | None, budget: Budget) -> int:
    """Trains until the claims are decided or the time is over; returns the exit code.

    Args:
        folder: the study's.
        registry: the claims.
        lock_file: None is the one in the folder.
        budget: what may be trained; without a script only the plan is printed.

    Raises:
        ConfigError: if the claims are not locked sequentially, or the study has no command.
    """
    began, code, pieces = time.monotonic(), 0, 0
    cores = _cores()
    study, found = _judged(folder, registry, lock_file, budget)
    words = _flags(study)
    while True:
        left = math.inf
        if budget.script is not None:
            left = budget.seconds - (time.monotonic() - began) - UNTRAINED_S
        piece = _next(found, cores, left)
        if budget.script is None:
            _show_plan(found, piece, cores, study, words)
            return 0
        _show_decided(found)
        if piece is None or code:
            _show_open(found, cores, left, code)
            return code if code != OUT_OF_TIME else 0
        pieces += 1
        command = [str(budget.script), *words, *_piece_flags(study, found, piece)]
        command += ["--max-time", f"{max(left + UNTRAINED_S, 1):.0f}s"]
        say(f"piece {pieces}: {_piece_text(piece)}")
        code = _run([sys.executable, *command])
        if code not in (0, 1, OUT_OF_TIME):
            return code
        before = found.points.counts
        study, found = _judged(folder, registry, lock_file, budget)
        if found.points.counts == before and not code:
            say("the piece added no replicate, so that nothing more is trained")
            _show_open(found, cores, left, code)
            return 1


def _judged(
    folder: Path, registry: Registry, lock_file: Path | None, budget: Budget
) -> tuple[StudyFrame, ClaimsStanding]:
    """Returns the study as it lies there, and how its claims stand."""
    from analysis.claims import grounds, lock
    from analysis.claims.decide.open import standing
    from analysis.claims.judgement import Judgement
    from analysis.frame import load

    _LOG.info("judging the claims")
    study = load(folder)
    path = lock_file or folder / CLAIMS_LOCK
    locked = lock.read_lock(path)
    if locked is None or not locked.is_sequential:
        raise ConfigError(
            f"{path} must be a sequential lock, which `lttune claims lock --sequential` writes "
            "before the study begins: without one no replicate may be added"
        )
    read = grounds([study], locked)
    if refusal := locked.refusal(registry, read["created"]):
        raise ConfigError(f"{path}: {refusal}")
    judgement = Judgement(
        read["records"],
        registry,
        read["layers"],
        locked,
        read["created"],
        read["importances"],
    )
    return study, standing(study, judgement, budget.max_n)


def _next(found: ClaimsStanding, cores: int, left_s: float) -> NextPiece | None:
    from analysis.claims.decide.choice import next_piece

    return next_piece(found, cores, left_s)


def _flags(study: StudyFrame) -> list[str]:
    """Returns the flags of the study's last command but for those of a piece.

    Raises:
        ConfigError: if no command ran it, or one of its flags names code, or hides a password.
    """
    runs = [study.info, *study.info.get("runs", [])]
    command = next((str(run["command"]) for run in runs[::-1] if run.get("command")), "")
    if not command:
        raise ConfigError(
            f"{study.folder} must be a study that a command ran: study.json names none"
        )
    kept: list[str] = []
    is_ours = False
    for word in shlex.split(command)[2:]:
        if word.startswith("--"):
            name = word.removeprefix("--").partition("=")[0].replace("_", "-")
            is_ours = name in OURS or name.removeprefix("no-") in OURS
        value = word.partition("=")[2] if word.startswith("--") else word
        if not is_ours and (is_own_code(value) or is_own_network(value)):
            raise ConfigError(
                f"{study.folder}: its command names code, {value}, which no command takes from the "
                "folder of a study: add replicates by that command itself"
            )
        if not is_ours and "***" in word:
            raise ConfigError(
                f"{study.folder}: its command hides a password in {word}: give MLflow's address as "
                "MLFLOW_TRACKING_URI when the study is begun"
            )
        if not is_ours:
            kept.append(word)
    return kept


def _piece_flags(study: StudyFrame, found: ClaimsStanding, piece: NextPiece) -> list[str]:
    """Returns the flags by which the study trains a piece and nothing else of it."""
    words = ["--out", str(study.folder.parent), "--name", study.folder.name, "--phases"]
    words += sorted({point.phase for point in piece.added})
    sweep = [f"{point.label}:{piece.targets[point]}" for point in piece.added if point.label]
    base = [point for point in found.points.counts if not point.label]
    for point in base:
        count = max(piece.targets.get(point, 0), found.points.counts[point], 1)
        words += ["--replicates", str(count)]
    return [*words, *(["--sweep-replicates", *sweep] if sweep else [])]


def _run(command: Sequence[str]) -> int:
    """Runs a piece to its end and returns its exit code; a signal is passed on to it."""
    _LOG.info("")  # It has a display of its own.
    sys.stdout.flush()
    # In a group of its own, so that a Ctrl-C reaches it once.
    with subprocess.Popen(command, process_group=0) as child:
        asked: list[int] = []

        def pass_on(signum: int) -> None:
            asked.append(signum)
            child.send_signal(signum)

        with interrupts_call(pass_on):
            code = child.wait()
    return INTERRUPTED + asked[0] if asked else code


def _show_decided(found: ClaimsStanding) -> None:
    for name, word in found.decided.items():
        say(f"{name}: {word}")


def _show_open(found: ClaimsStanding, cores: int, left_s: float, code: int) -> None:
    """Says what stays open, and why."""
    from analysis.claims.decide.choice import next_piece, wall_s

    if code == 1:
        say("a replicate failed: the study's report says why, and nothing more is trained")
    piece = next_piece(found, cores)
    for one in found.open:
        if max(one.prospects.values()) <= 0:
            why = f"no number of replicates up to {one.most} would probably decide it"
        else:
            why = _outlook(found, one)
        say(f"{one.id} ({one.scale}): open after {one.n} of at most {one.most} replicates: {why}")
    for name, why in found.closed.items():
        say(f"{name}: open. {why}")
    if piece is not None and not code and wall_s(found, piece, cores) > left_s:
        seconds = wall_s(found, piece, cores) + UNTRAINED_S
        say(
            f"--budget is over: the next piece takes about {_time(seconds)}; the same command "
            "goes on"
        )
    say(f"{len(found.decided)} decided, {len(found.open) + len(found.closed)} open")


def _show_plan(
    found: ClaimsStanding,
    piece: NextPiece | None,
    cores: int,
    study: StudyFrame,
    words: Sequence[str],
) -> None:
    _show_decided(found)
    _show_open(found, cores, math.inf, 0)
    if piece is None:
        say("nothing would be trained")
        return
    flags = shlex.join([*words, *_piece_flags(study, found, piece)])
    say(f"next: {_piece_text(piece)}", f"  the study's file with {flags}")


def _outlook(found: ClaimsStanding, one: OpenClaim) -> str:
    from analysis.claims.decide.choice import cost

    def rate(more: int) -> float:
        targets = dict.fromkeys(one.points, one.n + more)
        return one.prospects[more] / max(cost(found, targets), 1.0)

    more = max(one.prospects, key=rate)
    seconds = cost(found, dict.fromkeys(one.points, one.n + more))
    return (
        f"{more} more would decide it with probability {one.prospects[more]:.2f} in "
        f"{_time(seconds)} of core time"
    )


def _piece_text(piece: NextPiece) -> str:
    added = ", ".join(
        f"{count} of {point.label or point.phase}" for point, count in piece.added.items()
    )
    return (
        f"replicates: {added}; {_time(piece.seconds)} of core time, the first of "
        f"{_time(piece.aim_seconds)} that decide {piece.decisions:.1f} claims on average"
    )


def _cores() -> int:
    from lttune.records.capacity import capacity

    return max(1, int(capacity().cores))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def budget_of(text: str | None, max_n: int | None, script: Path | None) -> Budget:
    """Returns the budget that flags ask for."""
    seconds = math.inf if text is None else duration_s("--budget", text)
    return Budget(seconds=seconds, max_n=max_n, script=script)
