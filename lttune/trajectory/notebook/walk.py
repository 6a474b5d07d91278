"""One trajectory, trained as far as it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lttune.config import LotteryConfig
from lttune.models.architectures import FAMILIES, Make
from lttune.records.own import KNOWN_PARTS, OwnPart
from lttune.records.schema import LAYERS, MEASURES, Columns, table_of
from lttune.trajectory.lab import Lab
from lttune.trajectory.measurements.observed import EVALUATED
from lttune.trajectory.notebook.networks import rows_known
from lttune.trajectory.notebook.observations import Observations
from lttune.trajectory.notebook.surroundings import worker_settings
from lttune.trajectory.notebook.values import TrainedLevel, trained_level
from lttune.trajectory.trial import trained_levels

if TYPE_CHECKING:
    import pandas as pd


class Trajectory:
    """One trajectory: its levels are trained one after the other, as they are iterated over.

    Iterated over again, it gives the same values and trains nothing; after an interruption it goes
    on with the network that was in training.

    Args:
        config: of the trunk.
        replicate: which repetition.
        controls: names of the controls.
        control_densities: where they leave; empty is every level.
        lab: what trains.
        engine: the name of its engine.
        reason: why it is not the fast one; empty if it is.
        rows: the networks of one's own.
        parts: its other parts of one's own, by field and name.
        observations: of a function of one's own, if there is one.
    """

    def __init__(
        self,
        config: LotteryConfig,
        *,
        replicate: int,
        controls: Sequence[str],
        control_densities: Sequence[float],
        lab: Lab,
        engine: str,
        reason: str,
        rows: Mapping[str, Make],
        parts: Mapping[tuple[str, str], OwnPart],
        observations: Observations | None,
    ) -> None:
        self.config, self.engine, self.reason = config, engine, reason
        self._asked = config, [replicate], tuple(controls), lab, tuple(control_densities)
        self._lab, self._rows, self._parts, self._observations = lab, rows, parts, observations
        self._trained: list[TrainedLevel] = []
        self._walk: Iterator[TrainedLevel] | None = None
        self._complete = False

    def __iter__(self) -> Iterator[TrainedLevel]:
        """Yields level after level, dense first; those that are missing are trained."""
        at = 0
        while at < len(self._trained) or self._advance():
            yield self._trained[at]
            at += 1

    @property
    def levels(self) -> tuple[TrainedLevel, ...]:
        """All levels; those that are missing are trained."""
        return tuple(self)

    def frame(self) -> pd.DataFrame:
        """Returns a row for each trained network, with the columns of ``records.parquet``.

        There is no study: ``study``, ``phase`` and ``role`` are missing values, and ``trial`` is 0.
        Levels that are missing are trained.
        """
        return _frame([one.row for level in self for one in level.networks], MEASURES)

    def layers(self) -> pd.DataFrame:
        """Returns a row for each layer of each ticket, with the columns of ``layers.parquet``."""
        return _frame([row for level in self for row in level.layers], LAYERS)

    def evaluations(self) -> pd.DataFrame:
        """Returns a row for each evaluation of each network, measurements of one's own included."""
        import pandas as pd

        networks = [one for level in self for one in level.networks]
        rows = [
            {"branch": one.branch, "level": one.level, "density": one.density, **entry}
            for one in networks
            for entry in one.evaluations
        ]
        names = dict.fromkeys([*EVALUATED, *(name for row in rows for name in row)])
        return pd.DataFrame(rows, columns=pd.Index(list(names)))

    def __repr__(self) -> str:
        """Returns what is trained, by what, and how far it is."""
        what = f"{self.config.model.name} on {self.config.data.name}"
        state = "all" if self._complete else "so far"
        why = self.reason and f" ({self.reason})"
        levels = f"levels trained: {len(self._trained)}, {state}"
        return f"<Trajectory of {what}, {self.engine} engine{why}, {levels}>"

    def _advance(self) -> bool:
        """Trains the next level; returns whether there was one."""
        if self._complete:
            return False
        walk = self._walk = self._walk or self._missing()
        try:
            # A file that was changed since, or a study that was read, has other parts of that name.
            with (
                rows_known(FAMILIES, self._rows),
                rows_known(KNOWN_PARTS, self._parts),
                worker_settings(),
            ):
                self._trained.append(next(walk))
        except StopIteration:
            self._complete = True
            return False
        except BaseException:
            # What raised has ended: another walk takes from the store what this one trained.
            self._walk = None
            raise
        return True

    def _missing(self) -> Iterator[TrainedLevel]:
        """Yields the levels that are not trained yet."""
        config, lab, seen = self.config, self._lab, self._observations
        for (level,), branched in trained_levels(*self._asked):
            if level.level >= len(self._trained):
                keys = [level.stored.key, *(one.stored.key for one in branched)]
                observed = {key: seen.of(key) for key in keys} if seen else {}
                yield trained_level(level, branched, config, lab, observed)


def _frame(rows: Sequence[Mapping[str, Any]], columns: Columns) -> pd.DataFrame:
    """Returns rows of a trial without a study, as they are read from a study's table."""
    import pandas as pd

    found = table_of([{**row, "trial": 0} for row in rows], columns)
    return pd.DataFrame(found.to_pylist(), columns=pd.Index(found.column_names))
