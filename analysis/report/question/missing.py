"""What a study lacks for its question, and the command that would tell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from analysis.frame import StudyFrame, in_phases
from analysis.tables.responses import NEAR
from lttune.config.control import TRUNK
from lttune.config.phase import phase_names
from lttune.records.provenance import last_command

LARGER = {"smoke": "quick", "quick": "paper"}
"""Scale -> the next one, which has more points."""


def lacking_design(study: StudyFrame, note: str, asked: Sequence[str]) -> list[str]:
    """Returns why nobody can say whether a hyperparameter decides, and what to run.

    Args:
        study: one without importances.
        note: why its design, if it has one, gives none.
        asked: the hyperparameters that are asked for; none is all.
    """
    decides = "decides" if len(asked) == 1 else "decide"
    what = f"Whether {' and '.join(asked)} {decides}" if asked else "Which hyperparameters decide"
    designed = in_phases(study.trials, lambda phase: phase.is_design).any()
    if designed:
        why = note or "no point of the design is trained yet."
        return [f"{what} is not known: {why}", more_points(study)]
    names = phase_names(lambda phase: phase.is_design)
    if study.info.get("factors"):
        told = f"{_begun(_again(study, 'phases', names))} trains it and adds to this study."
        text = f"{what} is not known: no design, points spread over all factors, was trained."
        return [f"{text} {told}"]
    text = (
        f"{what} is not known: that takes a design, points spread over all factors, "
        "and the study file declares none. With `factors` and points of phase design in it "
        "(docs/extending.md), "
    )
    return [f"{text}{_again(study, 'phases', names)} would tell."]


def lacking_confirmation(study: StudyFrame, path: str) -> list[str]:
    """Returns why nobody can compare the values of a fair comparison yet, and what to run."""
    run = (study.info.get("config") or {}).get("phases") or ()
    confirming = phase_names(lambda phase: phase.confirms)
    named = () if set(run) & set(confirming) else (*run, *confirming)
    again = _begun(_again(study, "phases", named))
    return [
        f"Which {path} has winning tickets is not known: none of their choices is trained on fresh "
        f"replicates. {again} trains them."
    ]


def more_points(study: StudyFrame) -> str:
    """Returns the command that would give a design more points."""
    if study.incomplete:
        return f"The study is not finished: {_again(study)} goes on."
    larger = LARGER.get(str(study.info.get("scale")))
    # Sheets of older versions do not say which scales there are: all three were.
    if larger is None or larger not in (study.info.get("scales") or LARGER.values()):
        return f"A design of more points in the study file, then {_again(study)}, would tell."
    # Another scale is another study, with a name of its own and all of its phases.
    again = _again(study, "scale", (larger,), ("--name", "--phases", "--max-time"))
    return f"{_begun(again)} has a design of more points."


def deeper(study: StudyFrame, density: float) -> str:
    """Returns what would give a design's trajectories a value at a density that many of them lack.

    Args:
        study: whose.
        density: the one at which its importances end.
    """
    if study.incomplete:
        return f"The study is not finished: {_again(study)} goes on."
    records = study.records
    tickets = records[in_phases(records, lambda phase: phase.is_design)]
    trajectories = tickets[tickets["branch"] == TRUNK].groupby(["trial", "replicate"])
    ends = trajectories.agg({"density": "min", "diverged": "any"})
    lacking = ends["density"] > density * (1 + NEAR)
    what = "Ranges of the factors in which fewer trajectories diverge"
    if (lacking & ~ends["diverged"].astype(bool)).any():
        what = f"More levels, down to {100 * density:.1f} % of the weights or below,"
    # Records of other levels are another study's: it has a name of its own.
    return f"{what} in the study file, then {_again(study, 'name', ('NAME',))}, would tell."


def _begun(text: str) -> str:
    """Returns a text as a sentence begins with it."""
    return text[0].upper() + text[1:]


def _again(
    study: StudyFrame, name: str = "", values: Sequence[str] = (), without: Sequence[str] = ()
) -> str:
    """Returns how a study is run again: by its command, or by its call if it has no file.

    Args:
        study: whose.
        name: of a setting that is another then.
        values: of it; none changes nothing.
        without: flags that a command does without.
    """
    if "command" in study.info and not last_command(study.info):
        if not values:
            return "the same call"
        value = repr(values[0]) if name in ("scale", "name") else repr(tuple(values))
        return f"the same call with `{name}={value}`"
    flags = (f"--{name}", *values) if values else ()
    return f"`{_command(study, flags, without)}`"


def _command(study: StudyFrame, flags: Sequence[str] = (), without: Sequence[str] = ()) -> str:
    """Returns the command of a study with a flag and its values in place of those that it had.

    Of a shard it is that of the study: what is missing to an answer no shard can train.

    Args:
        study: whose.
        flags: a flag and its values; none changes nothing.
        without: flags that are left out.
    """
    try:
        words = shlex.split(last_command(study.info))
    except ValueError:  # Quotes that do not close.
        words = []
    words = words or ["python", "STUDY.py"]
    kept: list[str] = []
    is_dropped = False
    for word in words:
        if word.startswith("--"):
            flag = word.partition("=")[0].replace("_", "-")
            is_dropped = flag in ("--plan", "--shard", *flags[:1], *without)
        if not is_dropped:
            kept.append(word)
    return shlex.join([*kept, *flags])
