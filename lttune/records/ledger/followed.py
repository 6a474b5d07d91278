"""The ledger of a study that somebody else runs, looked at again and again."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lttune.errors import LttuneError
from lttune.records import rules
from lttune.records.columns import require_hparams
from lttune.records.ledger.ledger import Ledger
from lttune.records.ledger.listing import as_they_stand, require_listed
from lttune.records.ledger.trial import NEEDED_OF_TRIAL, Trial, listed_trials
from lttune.store.formats.followed import Followed
from lttune.store.sealed import read_digested


class FollowedLedger:
    """A ledger of which later looks read only what was appended since, and check only that.

    Args:
        path: ``trials.json``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._followed = Followed(path, functools.partial(read_digested, path))
        self._ledger: Ledger | None = None
        self._study_id: str | None = None
        self._settings = set[str]()
        """The hyperparameters that any trial varies."""

    def now(self, study_id: str | None) -> Ledger:
        """Returns the ledger as it stands, the same object as before if only some trials turned.

        Args:
            study_id: that of ``study.json``; None in studies of older versions.

        Raises:
            LttuneError: as ``lttune.records.folder.read_listing``.
            FileNotFoundError: if there is no such file.
        """
        ledger = self._ledger if self._study_id == study_id else None
        # Two ledgers at once would take twice the memory, and one that is half changed is none.
        self._ledger = None
        if ledger is None or not self._went_on(ledger):
            del ledger
            ledger = self._whole(study_id)
        self._ledger, self._study_id = ledger, study_id
        return ledger

    def _whole(self, study_id: str | None) -> Ledger:
        values, since = self._followed.whole()
        values = require_listed(self._path, values, since, NEEDED_OF_TRIAL, study_id)
        for place, one in enumerate(values["trials"]):
            require_hparams(f"{self._path}: trials[{place}]: ", one.get("hparams", {}))
        trials = listed_trials(self._path, values["trials"])
        self._settings = set[str]().union(*(trial.hparams for trial in trials))
        return Ledger(
            path=self._path,
            planned=dict(values.get("planned", {})),
            trials=trials,
            wall_s=float(values.get("wall_s", 0.0)),
        )

    def _went_on(self, ledger: Ledger) -> bool:
        """Has a ledger follow what was appended; returns whether it could.

        Whatever is wrong with that is told by who reads all of it.
        """
        try:
            more = self._followed.more()
            return more is not None and (not more or self._turn(ledger, more))
        except LttuneError:
            return False

    def _turn(self, ledger: Ledger, more: Sequence[Any]) -> bool:
        listed = as_they_stand([], more)
        rules.require_listing(self._path, {"trials": listed}, NEEDED_OF_TRIAL)
        for one in listed:
            require_hparams("", one["hparams"])
        for trial in listed_trials(self._path, listed):
            place = bisect.bisect_left(ledger.trials, trial.number, key=lambda one: one.number)
            old = ledger.trials[place] if place < len(ledger.trials) else None
            if old is None:
                ledger.trials.append(trial)
                self._settings.update(trial.hparams)
            elif _is_same(old, trial):
                for name in Trial.__dataclass_fields__:
                    setattr(old, name, getattr(trial, name))
            else:
                return False
        count = len(ledger.trials)
        words = "trials", "settings"
        rules.require_bounded_cells(self._path, count, len(self._settings), words)
        return True


def _is_same(old: Trial, new: Trial) -> bool:
    return (old.number, old.phase, old.hparams) == (new.number, new.phase, new.hparams)
