"""``python -m analysis.report STUDY`` is ``lttune report STUDY``."""

import sys

from lttune.__main__ import main

if __name__ == "__main__":
    sys.argv[1:1] = ["report"]
    sys.exit(main())
