"""Which hyperparameters a study's question is about, read from its words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analysis.frame import StudyFrame
from lttune.config.design import INERT

SPOKEN = {
    "train.lr": ("learning rate",),
    "train.batch_size": ("batch size",),
    "train.optimizer": ("optimizer", "optimiser"),
    "train.momentum": ("momentum",),
    "train.weight_decay": ("weight decay",),
    "train.warmup_steps": ("warmup", "warm-up"),
    "prune.criterion": ("criterion", "criteria"),
    "prune.fraction": ("pruning rate", "pruning fraction"),
    "model.init": ("initialisation", "initialization", "initialiser", "initializer"),
    "model.init_scale": ("initial scale", "scale of the initial weights"),
    "model.name": ("width", "architecture"),
    "rewind_step": ("rewind", "rewinding"),
}
"""Dotted path -> what a question calls it, besides the last part of the path."""

_WHOLE = r"(?<![\w./:-]){}s?(?![\w/:-]|\.\w)"
"""A word by itself: neither "conv" of the network conv-2 nor "fc" of the file ./fc.npz."""

_ALL = re.compile(r"hyper-?parameters?\b|\bwhich (factors|settings)\b")


def question_of(study: StudyFrame) -> str:
    """Returns the question of a study, in small letters."""
    return str(study.info.get("question") or "").lower()


def varied_paths(study: StudyFrame) -> list[str]:
    """Returns the hyperparameters that a trial of a study varies, or may."""
    declared = [str(one.get("path")) for one in study.info.get("factors") or []]
    tried = [path for hparams in study.trials["hparams"] for path in hparams or {}]
    found = dict.fromkeys([*declared, *study.info.get("space", {}), *tried])
    return [path for path in found if path != INERT]


def asked_paths(study: StudyFrame) -> list[str]:
    """Returns the hyperparameters that the question names, those that nothing varies as well.

    What nothing varies is recognised by ``SPOKEN`` alone: the last part of a path, such as "name",
    may mean anything.
    """
    question, varied = question_of(study), varied_paths(study)

    def is_said(words: Iterable[str]) -> bool:
        return any(re.search(_WHOLE.format(re.escape(word)), question) for word in words)

    named = [path for path in varied if is_said([_last(path), *_words(path)])]
    told = {word for path in named for word in _words(path)}
    others = (
        path for path, words in SPOKEN.items() if path not in varied and told.isdisjoint(words)
    )
    return [*named, *(path for path in others if is_said(SPOKEN[path]))]


def _last(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")


def _words(path: str) -> tuple[str, ...]:
    """Returns what a question calls a path; fractions of layers are pruning fractions all."""
    return SPOKEN.get("prune.fraction" if path.startswith("prune.fractions.") else path, ())


def asks_for_all(study: StudyFrame) -> bool:
    """Returns whether the question asks which hyperparameters matter, naming none."""
    return _ALL.search(question_of(study)) is not None
