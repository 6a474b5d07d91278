"""Reads the records of studies: tables, intervals, figures, report. It never trains.

Both functions import what they need when they are called: a study script that only answers
``--help`` should not wait for pandas and matplotlib.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.frame import StudyFrame

_LOG = logging.getLogger(__name__)


def load(folder: Path | str) -> StudyFrame:
    """Returns the tables of a study's folder: see ``analysis.frame.load``."""
    from analysis import frame

    return frame.load(folder)


def lock_claims(folder: Path, replicates: int) -> None:
    """Fixes the claims in a study's folder before it trains; a lock that is there stays.

    With more replicates than it plans the study goes on, which is said: they decide nothing more.

    Args:
        folder: the study's.
        replicates: planned for every claim; with fewer than two nothing can be decided or locked.
    """
    from analysis.claims import lock, read
    from lttune.config.rules import CLAIMS_LOCK
    from lttune.errors import ConfigError

    path = folder / CLAIMS_LOCK
    found = lock.read_lock(path)
    if found is not None and found.n and replicates > (most := max(found.n.values())):
        _LOG.warning(
            "%s plans %d replicates, and claims are decided on those, not on %d: to plan more, "
            "lock them for another folder before its study begins, `lttune claims lock --n %d "
            "--out FOLDER/%s`",
            *(path, most, replicates, replicates, CLAIMS_LOCK),
        )
    if replicates >= 2 and found is None:
        try:
            lock.write_lock(path, lock.lock(read(), replicates))
        except ConfigError:
            if lock.read_lock(path) is None:  # Else another shard of the study was faster.
                raise


def write_report(folder: Path, *, anew: bool = False) -> Path:
    """Writes the report of a study's folder, the verdicts on claims first.

    See ``analysis.report.write``. Claims are shown if any is tested. They are those of a file
    ``claims.yaml`` in the folder, which is kept there when the shipped ones have changed since.

    Args:
        folder: the study's.
        anew: whether it is written where it was made from the same already. Of a study that comes
            from elsewhere nobody knows who wrote the report.
    """
    from analysis.report import made

    folder = Path(folder)

    def is_made(inputs: str) -> bool:
        return not anew and made.is_current(folder, inputs)

    if not is_made(inputs := made.inputs_of(folder)):
        with made.only_writer(folder) as has_waited:
            # Another one may just have made it. What it took long for may have changed meanwhile.
            inputs = made.inputs_of(folder) if has_waited else inputs
            if not is_made(inputs):
                return _write_report(folder, inputs)
    _LOG.info("the report is that of these records")
    return folder / "report.html"


def _write_report(folder: Path, inputs: str) -> Path:
    """Writes the report of a study's folder, and notes what it was made from."""
    _LOG.info("loading the packages of the report")
    from analysis import frame
    from analysis.claims import is_any_tested, of_studies, read
    from analysis.report import made
    from analysis.report.write import write
    from analysis.tables.design.importance import design_tables
    from lttune.errors import StorageError

    _LOG.info("reading the study")
    study, own = frame.load(folder), folder / "claims.yaml"
    registry = read(own) if own.exists() else read()
    # Claims about importance read what this keeps in the folder.
    design_tables(study)
    _LOG.info("judging the claims")
    table = of_studies([study], registry)
    verdicts = table if is_any_tested(table) else None
    path = write(folder, verdicts=verdicts, registry=registry, study=study)
    with contextlib.suppress(OSError, StorageError):  # Then it is made again the next time.
        made.note(folder, inputs)
    return path
