"""The study's answer in words, every number computed from the records."""

from __future__ import annotations

import pandas as pd

from analysis.frame import StudyFrame, in_phases
from analysis.report.formats import apart, signed
from analysis.statistics import Estimate
from analysis.tables.censoring import is_censored
from analysis.tables.confirmation import confirmation_table
from analysis.tables.controls import LABELS, on_target
from analysis.tables.curves import anchor, curve_table, difference_table, nearest
from analysis.tables.objective import answer_density
from analysis.tables.same_setting import elsewhere
from analysis.tables.sweeps import extremes, gain_table, sweep_networks
from analysis.tables.trials import settings
from lttune.config.control import TRUNK
from lttune.config.phase import phase_names


def scale_line(study: StudyFrame) -> str:
    """Returns dataset, steps per level, replicates and scale: how far the numbers carry."""
    info = study.info
    train = info.get("lottery", {}).get("train", {})
    parts = [
        info.get("dataset", {}).get("name") or info.get("lottery", {}).get("data", {}).get("name")
    ]
    if "steps" in train:
        steps, epochs = f"{train['steps']:,} steps", train.get("epochs")
        length = steps if epochs is None else f"{epochs:g} epochs ({steps})"
        parts.append(f"{length} per level")
    anchors = study.records.loc[
        in_phases(study.records, lambda phase: phase.is_base), "replicate"
    ].nunique()
    if anchors or has_anchor(study):
        parts.append(f"{anchors} anchor replicate{'' if anchors == 1 else 's'}")
    if "scale" in info:
        parts.append(f"scale: {info['scale']}")
    return ", ".join(str(part) for part in parts if part)


def has_anchor(study: StudyFrame) -> bool:
    """Returns whether the study trains its base configuration; older ones always did."""
    run = (study.info.get("config") or {}).get("phases")
    return run is None or not set(run).isdisjoint(phase_names(lambda phase: phase.is_base))


def answer(study: StudyFrame) -> list[str]:
    """Returns the answer as sentences, for whatever part of the study there is."""
    if study.records.empty:
        return ["Nothing has finished yet: there is no trained network to report on."]
    first = _anchor(study) if has_anchor(study) else []
    return [*first, *_confirmed(study), *_plain(study), *swept_sentences(study).values()]


NO_BASE = "the study has no base configuration to judge."
"""Ends what there is to say where nothing else is."""


def _plain(study: StudyFrame) -> list[str]:
    """Says what there is where neither base configuration nor sweep can answer."""
    if has_anchor(study) or in_phases(study.records, lambda phase: phase.is_swept).any():
        return []
    trials = study.records["trial"].nunique()
    return [f"{trials} trials have trained networks; {NO_BASE}"]


def _confirmed(study: StudyFrame) -> list[str]:
    """Says what came of the search's choice on replicates that took no part in it."""
    table = confirmation_table(study)
    text: list[str] = []
    for row in table[table["pairs"] > 0].to_dict("records"):
        ends = (row["difference"], row["difference_low"], row["difference_high"])
        estimate = Estimate(*ends, int(row["pairs"]))
        endings = {
            "higher": "it is more accurate",
            "lower": "it is less accurate",
            "unclear": "the two cannot be told apart with these replicates",
            "unknown": _no_interval(estimate),
        }
        text.append(
            f"On fresh replicates, at {100 * row['at']:.1f} % of the weights, "
            f"{row['settings']} ({row['name']}) minus the base configuration in test accuracy: "
            f"{_size(estimate)}; {endings[estimate.verdict]}."
        )
    return text


def _size(estimate: Estimate) -> str:
    size = f"{signed(100 * estimate.mean, 2)} percentage points"
    if estimate.n < 2:
        return f"{size} (n = {estimate.n})"
    if estimate.alike:
        return f"{size} in each of {estimate.n} replicates"
    digits, low, high = apart(100 * estimate.low, 100 * estimate.high)
    ends = f"{signed(low, digits)} to {signed(high, digits)}"
    return f"{size} (95 % interval {ends}, n = {estimate.n})"


def _no_interval(estimate: Estimate) -> str:
    """Returns why an estimate has no interval."""
    if estimate.alike:
        return "equal differences give no interval, so this may be chance"
    return "one replicate has no interval, so this may be chance"


def nearest_text(at: float, asked: float) -> str:
    """Returns that a density is the nearest there is to another; empty if they look the same."""
    shown, wanted = (f"{100 * density:.1f} %" for density in (at, asked))
    return "" if shown == wanted else f", the nearest there is to {wanted}"


def swept_sentences(study: StudyFrame) -> dict[str, str]:
    """Returns swept factor -> between which values its mean gain goes, at the answer's density."""
    text: dict[str, str] = {}
    networks, base = sweep_networks(study), settings(study)
    for factor, (worst, best) in extremes(gain_table(networks), answer_density(study)).items():
        place = elsewhere(networks[networks["factor"] == factor], base)
        name = f"{factor} on {place}" if place else factor
        near = nearest_text(best["density"], answer_density(study))
        where = f"{100 * best['density']:.1f} % of the weights{near and f'{near},'}"
        low, high = (
            f"{signed(100 * row['mean'], 2)} at {row['value']} (where it is "
            f"{100 * row['accuracy']:.1f} % accurate, n = {row['n']})"
            for row in (worst, best)
        )
        text[factor] = (
            f"Sweep of {name}: with {where} the ticket's mean gain over its own dense network goes "
            f"from {low} to {high}, in percentage points."
        )
    return text


def _anchor(study: StudyFrame) -> list[str]:
    curves = curve_table(study.records, "test_accuracy")
    if curves.empty:
        return ["No anchor trial has trained a network yet, so the ticket cannot be judged."]
    means = curves[curves["statistic"] == "mean"]
    whole, wanted = difference_table(study.records, "test_accuracy"), answer_density(study)
    table = nearest(whole, wanted)
    if not ((means["curve"] == TRUNK) & (means["level"] > 0)).any():
        return [_dense_only(means)]
    level = table["level"].iloc[0]
    here = means[means["level"] == level].set_index("curve")
    ticket = here.loc[TRUNK]
    at, near = ticket["density"], nearest_text(ticket["density"], wanted)
    text = [
        f"At {100 * at:.1f} % of the weights (level {level}{near}) the ticket's mean "
        f"test accuracy at the early-stopping step is {100 * ticket['value']:.2f} % "
        f"(n = {ticket['n']})."
    ]
    # The others stand in the table.
    for versus in ("dense", "reinit"):
        for row in nearest(whole[whole["versus"] == versus], wanted).to_dict("records"):
            text.append(_difference(row, "" if row["level"] == level else _where(row)))
    text += _speed(study)
    if table["diverged"].sum():
        text.append(
            "Networks that diverged at this density are kept in these means, with their best "
            "evaluation before that."
        )
    if ended := int(table["ended"].max()):
        text.append(
            f"{_replicates(ended)} ended by divergence at a higher density: these numbers are "
            "those of the others."
        )
    if not means["curve"].isin(["reinit"]).any():
        text.append("There is no reinitialised control to compare with.")
    return text + target_sentences(study)


def target_sentences(study: StudyFrame) -> list[str]:
    """Returns what the ticket is worth on another dataset, if it was trained on one."""
    table = difference_table(on_target(study.records), "test_accuracy")
    found = nearest(table, answer_density(study))
    rows = found[found["versus"].isin(["dense", "reinit"]) & (found["n"] > 0)].to_dict("records")
    return [f"On the target: {_difference(row).replace('Ticket', 'ticket', 1)}" for row in rows]


def _dense_only(means: pd.DataFrame) -> str:
    dense = means[(means["curve"] == TRUNK) & (means["level"] == 0)]
    if dense.empty:
        return "The anchor has no pruned ticket to compare yet."
    row = dense.iloc[0]
    text = (
        f"Only dense networks are trained: mean test accuracy {100 * row['value']:.2f} % "
        f"(n = {row['n']}). There is no pruned ticket to compare yet."
    )
    if row["diverged"]:
        text += f" {_replicates(row['diverged'])} ended by divergence and will have none."
    return text


def _replicates(count: int) -> str:
    return f"{count} replicate{'' if count == 1 else 's'}"


def _where(row: dict) -> str:
    """Returns the place of a control that was not trained where the answer is given."""
    return f" at {100 * row['density']:.1f} % (level {row['level']}, the nearest it was trained at)"


def _difference(row: dict, where: str = "") -> str:
    estimate = Estimate(row["mean"], row["low"], row["high"], row["n"])
    other = LABELS.get(row["versus"], row["versus"])
    start = f"Ticket minus {other}{where}, paired by replicate: "
    if estimate.n == 0:
        return f"{start}no replicate has both yet."
    if estimate.n == 1:
        size = f"{signed(100 * estimate.mean, 2)} percentage points"
        return (
            f"{start}{size} in one replicate. One replicate has no interval, so this may be chance."
        )
    endings = {
        "unknown": _no_interval(estimate),
        "higher": "the ticket is more accurate here",
        "lower": "the ticket is less accurate here",
        "unclear": "the interval holds zero, so the two cannot be told apart with these replicates",
    }
    return f"{start}{_size(estimate)}; {endings[estimate.verdict]}."


def _speed(study: StudyFrame) -> list[str]:
    table = difference_table(study.records, "early_stop_step")
    table = nearest(table, answer_density(study))
    dense = table[(table["versus"] == "dense") & (table["n"] > 0)]
    if dense.empty:
        return []
    row = dense.iloc[0]
    estimate = Estimate(row["mean"], row["low"], row["high"], int(row["n"]))
    steps = f"{abs(estimate.mean):,.0f} steps {'earlier' if estimate.mean < 0 else 'later'} than"
    size = steps if abs(estimate.mean) >= 0.5 else "the same as"
    text = f"The ticket's early-stopping step is {size} the dense network's"
    bounds = _bounds(study, int(row["level"]))
    if estimate.n == 1:
        return [f"{text}, in one replicate.{bounds}"]
    if estimate.alike:  # Steps are counted in few: replicates often agree.
        return [f"{text}, in each of {estimate.n} replicates, which gives no interval.{bounds}"]
    digits, low, high = apart(estimate.low, estimate.high, digits=0)
    interval = f"95 % interval {signed(low, digits)} to {signed(high, digits)} steps"
    end = ", which cannot be told apart from no change" if estimate.verdict == "unclear" else ""
    return [f"{text} ({interval}, n = {estimate.n}){end}.{bounds}"]


def _bounds(study: StudyFrame, level: int) -> str:
    """Returns how many stops of the ticket at a level, and of the dense network, are bounds."""
    networks = anchor(study.records)
    trunk = networks[networks["branch"] == TRUNK]
    places = (("ticket", level), ("dense network", 0))
    late = {name: int(is_censored(trunk[trunk["level"] == k]).sum()) for name, k in places}
    if not any(late.values()):
        return ""
    whose = [f"{count} of the {name}'s" for name, count in late.items() if count]
    verb = "is" if sum(late.values()) == 1 else "are"
    return (
        f" In the last tenth of training {verb} {' and '.join(whose)}: there a true stop may come "
        "later than was trained."
    )
