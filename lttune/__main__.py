"""``python -m lttune`` is ``lttune``."""

import sys

from lttune.cli import main

sys.exit(main())
