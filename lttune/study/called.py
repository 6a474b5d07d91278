"""A study as a call: what a notebook or another program runs."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lttune.config import LotteryConfig, flatten
from lttune.config.fields import differences, require
from lttune.config.lottery.length import STEPS_OF
from lttune.config.output.steps import steps_shown
from lttune.config.rules import every_rule
from lttune.config.signals import INTERRUPTED, Interrupted
from lttune.errors import ResourceError, StorageError, unknown
from lttune.study.checks.packages import require_packages
from lttune.study.declared import Study
from lttune.study.main import FIRST_STEP, note_left, require_place, unchanged_outcome
from lttune.study.settings import StudyConfig

if TYPE_CHECKING:
    import pandas as pd

    from lttune.study.console.outcome import Outcome
    from lttune.study.workers.vital import Death


@dataclass(frozen=True, kw_only=True)
class FinishedStudy:
    """What ``run`` leaves."""

    folder: Path
    """The study's: report, tables, figures."""
    exit_code: int
    """0 if it is complete, 1 if a trial failed, 124 if ``max_time`` left something out."""
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
        from lttune.records.schema import MEASURES
        from lttune.records.tables import columns_of, table_in
        from lttune.records.tables.frames import frame_of

        return frame_of(columns_of(table_in(self.folder / "records.parquet")), MEASURES)


def run(
    study: Study,
    report: Callable[[Path], Path],
    *,
    scale: str | None = None,
    lottery: LotteryConfig | Mapping[str, Any] | None = None,
    **settings: Any,
) -> FinishedStudy:
    """Runs what is missing of a study, as its file does, from a notebook or another program.

    Nothing ends the process, also if this machine's Ray dies, and no handler of a signal stays
    behind. That holds in the main thread, where notebooks run their cells: if it is called in
    another one and Ray dies, Ray (2.60) ends the process within a minute.

    Args:
        study: what its file declares.
        report: writes the report of a study's folder and returns its path:
            ``analysis.write_report``.
        scale: whose settings are taken; None is quick, or else the study's first.
        lottery: the base configuration, or dotted paths and values that change the scale's.
        settings: other fields of ``StudyConfig``, as the flags are called, ``_`` instead of ``-``.

    Raises:
        LttuneError: if the study cannot be run as asked; a ``ResourceError`` if this machine's Ray
            dies, every finished network being kept.
        KeyboardInterrupt: if it is interrupted; every finished network is kept.
    """
    began = time.monotonic()
    with every_rule(part=False) as rules:
        rules.require(isinstance(study, Study), "study", "a Study", study)
        rule = "a function of a study's folder that writes its report"
        rules.require(callable(report), "report", rule, report)
    scale = study.usual_scale if scale is None else scale
    if not (isinstance(scale, str) and scale in study.scales):
        raise unknown("scale", scale, study.scales)
    base = study.settings_of(scale)
    known = [name for name in vars(base) if name not in ("scale", "lottery", "from_study")]
    for name in settings:
        if name not in known:
            raise unknown("setting", name, known)
    if lottery is not None:
        is_config = isinstance(lottery, LotteryConfig)
        rule = "a LotteryConfig, or dotted paths and values"
        require(is_config or isinstance(lottery, Mapping), "lottery", rule, lottery)
        settings["lottery"] = lottery if is_config else base.lottery.override(lottery)
    if isinstance(settings.get("out"), str):
        settings["out"] = Path(settings["out"])
    config = dataclasses.replace(base, **settings)
    require_place()
    require_packages()
    with steps_shown(config.name, FIRST_STEP, "stdout"):
        return _run(study, config, report, began, _flags(base, config))


def _run(
    study: Study,
    config: StudyConfig,
    report: Callable[[Path], Path],
    began: float,
    flags: Sequence[str],
) -> FinishedStudy:
    try:
        outcome = unchanged_outcome(config, study, report)
        if outcome is not None:
            return _finished(config, outcome)
        from lttune.study.conductor import run_study
        from lttune.study.phases.shard import shard_of

        with _living_ray() as death:
            outcome = run_study(config, study, report, began, death, arguments=flags)
            if outcome.exit_code >= INTERRUPTED:
                raise Interrupted(outcome.exit_code - INTERRUPTED)
        note_left(config, study, outcome)
    except OSError as error:
        raise StorageError(str(error)) from error
    return _finished(shard_of(config), outcome)


def _finished(config: StudyConfig, outcome: Outcome) -> FinishedStudy:
    return FinishedStudy(
        folder=config.folder,
        exit_code=outcome.exit_code,
        report=outcome.report,
        not_tracked=outcome.not_tracked,
    )


@contextlib.contextmanager
def _living_ray() -> Iterator[Death | None]:
    """Yields what interrupts the main thread if this machine's Ray dies; None in another thread.

    Signals reach the main thread alone.

    Raises:
        ResourceError: for what is raised inside after Ray died.
    """
    from lttune.study.workers.vital import Death

    thread = threading.get_ident()
    if thread != threading.main_thread().ident:
        yield None
        return
    died: list[str] = []

    def tell(name: str) -> None:
        died.append(name)
        signal.pthread_kill(thread, signal.SIGINT)  # As of Ctrl-C, after which all is left tidy.

    try:
        yield Death(tell=tell, wait_s=0.0)
    except (Exception, KeyboardInterrupt) as error:
        if not died:
            raise
        text = f"Ray's {died[0]} has died; run it again to go on where it stopped"
        raise ResourceError(text) from error


def _flags(base: StudyConfig, config: StudyConfig) -> list[str]:
    """Returns the flags that make a configuration of a scale's; none if no flags can.

    They can change a layer's fraction, but not take it away.
    """
    old, new = (
        flatten(one.plain()) | flatten(one.lottery.nested(), "lottery.") for one in (base, config)
    )
    for epochs, steps in STEPS_OF.items():
        if new[f"lottery.{epochs}"] is not None:  # They are counted, and no flag of their own.
            old[f"lottery.{steps}"] = new[f"lottery.{steps}"]
    changed = differences(old, new)
    if any(path.startswith("lottery.prune.fractions.") and path not in new for path in changed):
        return []
    words = ["--scale", str(config.scale)]
    for path, (_, value) in changed.items():
        where, dot, name = path.replace("_", "-").rpartition(".")
        if isinstance(value, bool):
            words.append(f"--{where}{dot}{'' if value else 'no-'}{name}")
        else:
            words += [f"--{where}{dot}{name}", *map(str, value if _is_list(value) else [value])]
    return words


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)
