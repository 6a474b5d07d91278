"""``python -m analysis.report STUDY`` writes the report of a study that is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analysis import write_report
from lttune.errors import LttuneError


def main(arguments: list[str] | None = None) -> int:
    """Prints the page's path, or one line of error, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analysis.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a study, such as results/my-study")
    try:
        print(write_report(parser.parse_args(arguments).folder))
    except LttuneError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
