"""Write the report of a study: one page that stands alone, and its figures as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lttune.config.output.escaped import say


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Of which study."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study, such as results/my-study; it may still be running."""


def main(flags: Flags) -> int:
    """Prints the page's path and returns the exit code."""
    from analysis import write_report
    from lttune.records.folder import read_sheet

    # Before what takes seconds to import: a mistake is told at once.
    read_sheet(flags.study)
    say(str(write_report(flags.study, anew=True)))
    return 0
