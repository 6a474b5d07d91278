"""The page of what each claim says, what is asked of it and what is not.

Its table comes from the claims file alone, each question in words that are made of its fields:
``python -m docs.claims_asked``. So does the table of the forms in ``docs/claims.md``, from
``FORMS``. A test compares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.claims import Registry, read
from analysis.claims.file.arm import Arm
from analysis.claims.file.claim import Claim
from analysis.claims.file.question import Question
from analysis.claims.table import SHARE_ENDINGS
from analysis.statistics.verdicts.form import FORMS

PAGE = Path(__file__).with_name("claims-asked.md")
GUIDE = Path(__file__).with_name("claims.md")
FORMS_HEAD = "| form | says | takes of each replicate |\n|---|---|---|\n"
"""Head of the table of forms in the guide."""
HEAD = """\
# What each claim says, and what is asked

Made of the [claims file](../analysis/claims/file/claims.yaml), version {version}, by
`python -m docs.claims_asked`; [claims.md](claims.md) says how claims are judged.

A claim holds if the answer to all of its questions is yes. Each says what is read, where, of which
networks, and what must be shown. A difference that is shown to be smaller than the smallest that
matters makes it *supported, smaller*. *Dense* is the dense network of the same trajectory, *early
stop* the step of lowest validation loss. Of a range of densities some are asked, averaged unless
it says *each*. Of networks with signs the sum is taken, of ratios that of their logarithms. A size
that a source states is asked only where an answer is *it is*. In brackets stands what a network's
name does not say: the control, or the hyperparameters that differ from the claim's setting.

{claims} claims, {asked} with questions, {questions} questions; {whole} claims leave nothing out.

| claim | it says | asked | not asked |
|---|---|---|---|
"""
COMMON = re.compile(r"^(train|model|prune)\.")
"""Groups of hyperparameters that go without saying."""
COLUMNS = {
    "test_accuracy": "test accuracy at the early stop",
    "val_accuracy": "validation accuracy at the early stop",
    "train_accuracy": "training accuracy at the early stop",
    "end_test_accuracy": "test accuracy at the end",
    "end_train_accuracy": "training accuracy at the end",
    "end_val_loss": "validation loss at the end",
    "end_gap": "training less test accuracy at the end",
    "start_val_accuracy": "validation accuracy before training",
    "pruning_gap": "validation accuracy before training, less that of the dense network at its end",
    "sign_changes": "share of survivors whose sign training changed",
    "barrier_test_error": "test error barrier between two trainings",
    "initial_bimodality": "bimodality of the survivors' initial weights",
    "initial_positive": "share of survivors whose initial weight is above 0",
    "moved_lead": "how much further survivors move than the others in the dense training",
    "grown_lead": "how much more often survivors grow than the others in the dense training",
    "incoming_excess": "spread of survivors into a unit above that of a random mask",
    "outgoing_lead": "spread of survivors out of a unit less that into one",
    "outgoing_cv": "spread of survivors out of a unit",
}
"""Column, without its layer -> words."""
MEASURES = {
    "accuracy": "{column}",
    "gain": "{column}, less dense",
    "gain_auc": "{column}, less dense, mean over log density down to {floor}",
    "steps": "step of the early stop",
    "steps_ratio": "step of the early stop over dense's",
    "ticket_density": "lowest density with {column} at most {within} points below dense",
    "ticket_weights": "fewest weights with {column} at most {within} points below dense",
    "importance": "share of the variance of {column}",
}
INFLUENTIAL = "is above a tenth, and above what chance reaches"
"""What must be shown of one hyperparameter's importance."""


def page(registry: Registry) -> str:
    """Returns the page."""
    claims = registry.claims
    head = HEAD.format(
        version=registry.version,
        claims=len(claims),
        asked=sum(bool(claim.questions) for claim in claims),
        questions=sum(len(claim.questions) for claim in claims),
        whole=sum(not_asked(claim) == "nothing" for claim in claims),
    )
    rows = [(claim.id, claim.text, asked(claim), not_asked(claim)) for claim in claims]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return head + "\n".join(lines) + "\n"


def guide(text: str) -> str:
    """Returns the guide's text with the table of the forms as they are."""
    before, head, after = text.partition(FORMS_HEAD)
    rows = [f"| `{name}` | {form.says} | {form.takes} |\n" for name, form in FORMS.items()]
    rest = after[after.index("\n\n") + 1 :]
    return before + head + "".join(rows) + rest


def asked(claim: Claim) -> str:
    """Returns a claim's questions in words, a dash if there are none."""
    lines = [f"**{one.name}**: {question_words(one)}" for one in claim.questions]
    if claim.presumes:
        lines.append(f"Presumes {claim.presumes}.")
    if claim.least_steps:
        lines.append(f"Of trainings of {claim.least_steps:,} steps or more.")
    return "<br>".join(lines) or "–"


def not_asked(claim: Claim) -> str:
    """Returns what of a claim no question asks, and why if its networks are not the source's."""
    if not claim.questions:
        return f"no question: {claim.why}"
    parts = [claim.omits or "nothing"]
    if claim.why:
        parts.append(f"Only a proxy is asked: {claim.why}")
    return "<br>".join(parts)


def question_words(question: Question) -> str:
    """Returns a question as one sentence."""
    if question.measure == "importance":
        read, of = _read(question), f"of {' and '.join(question.factors)}"
    else:
        read, of = _read(question), f"of {_arms(question)}"
    where = _where(question)
    long = f" (of trainings of {question.least_steps:,} steps)" if question.least_steps else ""
    return f"{', '.join(part for part in (read, where, of) if part)}: {_answer(question)}{long}."


def _read(question: Question) -> str:
    name, _, layer = question.reads.partition(".")
    column = COLUMNS.get(name, f"`{name}`") + (f", {layer}" if layer else "")
    return MEASURES[question.measure].format(
        column=column, floor=_densities(question.densities), within=_short(100 * question.within)
    )


def _where(question: Question) -> str:
    if question.measure == "gain_auc" or not (question.densities or question.survivors):
        return ""
    places = _densities(question.densities) or f"{_list(question.survivors)} weights"
    if len(question.densities) + len(question.survivors) == 1:
        return f"at {places}"
    return {"mean": "mean at", "each": "at each of", "columns": "from"}[question.across] + (
        f" {places}"
    )


def _arms(question: Question) -> str:
    arms = question.arms
    shared = _shared(arms)
    names = [_named(arm, shared) for arm in arms]
    if len(arms) == 1 or question.compare != "contrast":
        each = "each of " if question.compare == "each" and len(arms) > 1 else ""
        listed = each + ", ".join(names)
    else:
        terms = [f"{_sign(arm.weight)} {name}" for arm, name in zip(arms, names, strict=True)]
        listed = " ".join(terms).removeprefix("+ ")
    return listed + (f", all with {_values(shared)}" if shared else "")


def _shared(arms: Sequence[Arm]) -> dict[str, Any]:
    """Returns the hyperparameters that several arms have in common."""
    if len(arms) == 1:
        return {}
    first = arms[0].at
    return {p: v for p, v in first.items() if all(arm.at.get(p) == v for arm in arms)}


def _named(arm: Arm, shared: Mapping[str, Any]) -> str:
    last = arm.name.split()[-1]
    own = {p: v for p, v in arm.at.items() if p not in shared and last not in (_plain(v), str(v))}
    is_told = arm.branch in ("trunk", re.sub(r"[ -]", "_", arm.name))
    branch = "" if is_told else f"`{arm.branch}`"
    details = ", ".join(part for part in (branch, _values(own)) if part)
    return f"{arm.name} [{details}]" if details else arm.name


def _values(at: Mapping[str, Any]) -> str:
    return ", ".join(f"{COMMON.sub('', path)} {_plain(value)}" for path, value in at.items())


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " and ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def _sign(weight: float) -> str:
    size = abs(weight)
    return ("-" if weight < 0 else "+") + ("" if size == 1 else f" {size:.2g}")


def _answer(question: Question) -> str:
    if question.measure == "importance" and question.form == "sensitive":
        return INFLUENTIAL
    up = question.direction == "up"
    null = "1" if question.is_ratio else "0"
    is_row = "columns" in (question.across, question.compare)
    rivals = f", which beats {', '.join(question.rivals)}" if question.rivals else ""
    form = FORMS[question.form]
    return (form.asks or form.says).format(
        more="above" if up else "below",
        less="below" if up else "above",
        most="highest" if up else "lowest",
        trend="rises" if up else "falls",
        alike="any two are" if is_row else f"is {null}",
        apart="some two differ" if is_row else f"differs from {null}",
        null=null,
        smallest=_size(question, question.sesoi),
        margin=_size(question, question.margin),
        value=question.value,
        rivals=rivals,
        number=_number(question),
        tolerance=_short(100 * question.tolerance),
    )


def _size(question: Question, size: float) -> str:
    """Returns a margin in the unit of a question's numbers."""
    if question.is_ratio:
        return f"a factor of {_short(size)}"
    if question.reads.endswith(SHARE_ENDINGS):
        return f"{_short(100 * size)} points"
    return _short(size)


def _number(question: Question) -> str:
    number = question.number or 0.0
    if question.is_ratio:
        return _short(number)
    return (
        f"{_short(100 * number)} points"
        if question.reads.endswith(SHARE_ENDINGS)
        else _short(number)
    )


def _densities(densities: Sequence[float]) -> str:
    return f"{_list([100 * density for density in densities])} %" if densities else ""


def _list(numbers: Sequence[float]) -> str:
    words = [_short(number) for number in numbers]
    return " and ".join([part for part in (", ".join(words[:-1]), words[-1]) if part])


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:.4g}"


if __name__ == "__main__":
    PAGE.write_text(page(read()))
    GUIDE.write_text(guide(GUIDE.read_text()))
