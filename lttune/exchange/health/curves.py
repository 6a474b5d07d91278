"""Whether a study's learning curves are whole, and those of the networks of its records."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from lttune.errors import LttuneError, RefusedError
from lttune.exchange.health.inspection import Inspection
from lttune.records.tables.curves import CURVE_KEY, CURVES_FILE, curve_counts

ADD = "`lttune export STUDY --curves` adds what the store has"


def curve_findings(
    folder: Path, study_id: str | None, records: pa.Table | None
) -> list[Inspection]:
    """Returns what there is to say of the curves; nothing where there are none.

    Args:
        folder: the study's.
        study_id: that of its ``study.json``.
        records: of each network what names it, and its cell; None if they cannot be read.
    """
    path = folder / CURVES_FILE
    if not path.exists():
        return []
    try:
        counts = curve_counts(path, study_id)
    except LttuneError as error:
        mend = f"move it away: then {ADD}"
        if isinstance(error, RefusedError):
            mend = "use the lttune that wrote it, or a later one"
        code = error.exit_code
        return [Inspection(what=CURVES_FILE, trouble=str(error), mend=mend, exit_code=code)]
    what = f"{CURVES_FILE}: {counts.total():,} entries of {len(counts):,} networks"
    trouble = mend = ""
    if records is not None:
        columns = (records[name].to_pylist() for name in (*CURVE_KEY, "cell") if len(records))
        rows = zip(*columns, strict=True)
        named = {(tuple(network), cell) for *network, cell in rows if cell is not None}
        if others := counts.keys() - named:
            trouble = f"{len(others):,} of them are none that the records have"
            mend = f"see that the files are of one study; {ADD}"
        elif lacking := len(named - counts.keys()):
            trouble, mend = f"it lacks those of {lacking:,} networks of the records", ADD
    return [Inspection(what=what, trouble=trouble, mend=mend)]
