"""Watch a study that runs, from any terminal: its trials, settings, accuracy and time left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lttune.config.fields import is_number, require
from lttune.config.signals import exit_code_of

IS_LIVE = True
"""Says itself what it is doing."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Which study, and how often it is looked at."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of the study: results/NAME. Its files are read; nothing is written or locked."""
    every: float = 2.0
    """Seconds between two looks, > 0, at most a day; longer where a look takes long."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        ok = is_number(self.every) and 0 < self.every <= 86_400
        require(ok, "--every", "a number of seconds > 0 and at most 86400", self.every)


def main(flags: Flags) -> int:
    """Shows the study until nobody runs it any more.

    Returns:
        0 if the study is complete, 1 if it is not, 130 after Ctrl-C, which ends nothing else.
    """
    from lttune.study.console.printing import PrintingConsole
    from lttune.study.console.watching import watch_study

    try:
        return watch_study(flags.study, PrintingConsole(highlight=False), flags.every)
    except KeyboardInterrupt as error:
        return exit_code_of(error)
