"""What a person reads when a study ends: the best trials, where everything is, what is missing."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lttune.config.fields import settings_text
from lttune.config.own import without_place
from lttune.config.passwords import masked_command
from lttune.config.phase import phase_of
from lttune.config.signals import INTERRUPTED
from lttune.errors import legible, listed
from lttune.records.best import front, ranked
from lttune.records.folder import read_answer, read_sheet
from lttune.records.ledger import ENDED, Ledger, Trial
from lttune.records.objectives import objective_text
from lttune.records.summary import AT_DENSITIES, trial_metrics
from lttune.records.tables import Tables
from lttune.study.console.printing import PrintingConsole, say_on
from lttune.study.console.table import clock
from lttune.study.settings import StudyConfig


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run of a study ended."""

    exit_code: int
    """0 complete, 1 finished with failed trials, 124 out of time, 129, 130 or 143 interrupted."""
    report: Path
    tracking: str
    """MLflow's address, without a password."""
    not_tracked: str
    """What MLflow lacks; empty if nothing."""
    left_out: str = ""
    """What there was no time for, and how to go on; empty if nothing."""
    is_complete: bool = False
    """Whether every trial of every phase that was ever asked for has ended well."""


BEST_SHOWN = 5


def show(
    outcome: Outcome,
    ledger: Ledger,
    rows_of: Callable[[Trial], Sequence[dict[str, Any]]],
    config: StudyConfig,
    classes: int,
    console: Console,
) -> None:
    """Prints the end of a run: the finding, the best trials, where everything is."""
    show_answer(config.folder, console)
    if table := _best(ledger, rows_of, config, classes):
        console.print(table)
    done, total = ledger.count(*ENDED), ledger.total
    stopped, failed = ledger.count("stopped"), ledger.count("failed")
    for trial in ledger.trials:
        if trial.state == "failed":
            where = f"{config.folder}/failures/trial-{trial.number:03d}.txt"
            text = f"failed: {trial.name}: {trial.error} ({where})"
            say_on(console, text, "red")
    if outcome.exit_code >= INTERRUPTED:
        console.print("interrupted: every finished network is kept")
    state = "complete" if ledger.complete else "incomplete"
    early = f", {stopped} of them stopped early," if stopped else ""
    console.print(
        f"{state}: {done} of {total} trials{early} in {clock(ledger.wall_s)} over all runs"
    )
    if mended := _to_mend(ledger):
        say_on(console, mended)
    if outcome.left_out:
        say_on(console, outcome.left_out)
    elif config.shard is not None and ledger.complete:
        text = f"this was shard {config.shard}: when all have ended, the same command without "
        say_on(console, f"{text}--shard reads what they trained and trains what is left")
    elif outcome.exit_code == 0 and not ledger.complete:
        others = " ".join(phase for phase in ledger.planned if ledger.open_slots(phase))
        text = f"the phases of this command are complete; `--phases {others}` goes on"
        say_on(console, text)
    elif not (ledger.complete or mended):
        console.print("run the same command again to go on where it stopped")
    elif not ledger.complete and (outcome.exit_code >= INTERRUPTED or len(ledger.to_mend) < failed):
        console.print("the same command again goes on with the rest")
    say_on(console, f"report: {outcome.report}")
    say_on(console, _mlflow_line(outcome.tracking, config))
    if outcome.not_tracked:
        say_on(console, f"not in MLflow: {outcome.not_tracked} {_mended(config)}", "yellow")


def show_again(config: StudyConfig, page: Path, tracking: str) -> Outcome:
    """Prints the end of a complete study once more, and returns it.

    Args:
        config: the settings, of a study whose files are as its last run left them.
        page: its report.
        tracking: MLflow's address, without a password.
    """
    sheet = read_sheet(config.folder)
    ledger = Ledger.open(config.folder / "trials.json", sheet.get("study_id"))
    tables = Tables(config.folder, config.name, sheet.get("study_id"))
    tables.read(ledger)
    outcome = Outcome(exit_code=0, report=page, tracking=tracking, not_tracked="", is_complete=True)
    classes = sheet["dataset"]["classes"]
    show(outcome, ledger, tables.of, config, classes, PrintingConsole(highlight=False))
    return outcome


def _to_mend(ledger: Ledger) -> str:
    """Returns what is to be done where code of one's own has failed: unchanged, it fails again."""
    names = sorted({*ledger.to_mend.values()})
    if not names:
        return ""
    its = "its code is" if len(names) == 1 else "their code is"
    text = f"mend {listed(names)} and give another --name, since {its} part of what a study is: "
    return f"{text}what does not depend on it is not trained again"


MOST_SAID = 7
"""Sentences of the finding that are printed, and its mark of an unfinished study."""


def show_answer(folder: Path, console: Console) -> None:
    """Prints what the box at the top of a study's report says; nothing before its first report."""
    found = read_answer(folder)
    for line in found[:MOST_SAID]:
        # On a terminal lines end between words; elsewhere whoever reads them decides.
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if more := len(found[MOST_SAID:]):
        console.print(f"{more} more sentence{'s' if more > 1 else ''} in the report")
    if found:
        console.print()


def _mlflow_line(tracking: str, config: StudyConfig) -> str:
    """Returns how to see the study in MLflow: its page, or a command that works in any folder.

    Without a flag ``mlflow ui`` (3.17) takes a folder of files, `./mlruns`, before any database,
    and then refuses it; another folder has neither.
    """
    uri = tracking.partition(" (experiment ")[0]
    if uri.startswith("http"):
        return f"MLflow: {tracking}"
    if "://" not in uri:  # Such as databricks, whose page its driver alone knows.
        return f"MLflow: {uri}, experiment {config.name}"
    known, hint = shlex.quote(uri), ""
    if "***" in uri:
        # What is secret is not printed; the environment has it where nobody typed it.
        is_typed = config.tracking_uri is not None
        known = known if is_typed else '"$MLFLOW_TRACKING_URI"'
        hint = " (with what *** stands for)" if is_typed else ""
    command = f"{_mlflow()} ui --backend-store-uri {known}"
    return f"MLflow: run `{command}`{hint}, experiment {config.name}"


def _mlflow() -> str:
    """Returns how a shell finds the MLflow beside this Python, also where none is activated."""
    found = shutil.which("mlflow")
    is_ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return "mlflow" if is_ours else f"{shlex.quote(sys.executable)} -m mlflow"


def show_absence(address: str, reason: str, config: StudyConfig, console: Console) -> None:
    """Prints, in one line, that MLflow cannot be used at the start of a run."""
    text = f"MLflow cannot be used at {address} ({reason}); the study goes on. {_mended(config)}"
    say_on(console, text, "yellow")


def _mended(config: StudyConfig) -> str:
    """Returns what sends later what is missing; who is to type a secret knows it."""
    words = ["lttune", "sync", str(config.folder)]
    if config.tracking_uri is not None:
        words += ["--tracking-uri", config.tracking_uri]
    return f"`{masked_command(words)}` sends what is missing at any later time."


def _best(
    ledger: Ledger,
    rows_of: Callable[[Trial], Sequence[dict[str, Any]]],
    config: StudyConfig,
    classes: int,
) -> Table | None:
    """Returns the best trials by objective: chosen on validation, with test accuracy beside.

    By two numbers they are the Pareto front. Confirmations are no candidates: one of the same
    configuration has won.
    """
    objective = config.objective
    candidates = [trial for trial in ledger.trials if phase_of(trial.phase).is_candidate]
    alone = len(objective.measures) == 1
    best = ranked(candidates, objective)[:BEST_SHOWN] if alone else front(candidates, objective)
    if not best:
        return None
    title = "best trials by {} (validation)" if alone else "Pareto front by {} (validation)"
    measures = [without_place(name) for name in objective.measures]
    title = title.format(" and ".join(measures))
    table = Table(title=Text(title, "table.title"), title_justify="left")
    metrics = [trial_metrics(rows_of(t), classes, objective, t.values or ()) for t in best]
    columns = {
        f"test at {density:.0%}": f"test_accuracy_at_{density:g}"
        for density in AT_DENSITIES
        if any(f"test_accuracy_at_{density:g}" in found for found in metrics)
    }
    for name in ("trial", "settings", *measures, *columns, "time"):
        is_text = name in ("trial", "settings")
        table.add_column(name, justify="left" if is_text else "right", no_wrap=name == "trial")
    for trial, found in zip(best, metrics, strict=True):
        tests = [f"{found[key]:.2%}" if key in found else "-" for key in columns.values()]
        values = [objective_text(value) for value in trial.values or ()]
        table.add_row(
            Text(legible(f"{trial.number:03d} {trial.phase}")),
            Text(legible(settings_text(trial.hparams))),
            *values,
            *tests,
            clock(trial.seconds or 0),
        )
    return table
