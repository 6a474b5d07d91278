#!/usr/bin/env bash
# statsmodels 0.15.0: multipletests() counts a NaN as a test that was made.
#
# A test that could not be made has p = NaN. By Holm's method it comes back as NaN, as one would
# wish, but the others are corrected for it all the same: .01 becomes .03, three times itself, though
# two tests were made. By Benjamini and Hochberg's method every corrected value becomes NaN.
#
# Seen: holm [.01 nan .03] -> [0.03  nan 0.06]; of the two alone [0.02 0.03]
#       fdr_bh [.01 nan .03] -> [nan nan nan];  of the two alone [0.02 0.03]
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check \
  statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
"$place/env/bin/python" - <<'PY'
import numpy as np
from statsmodels.stats.multitest import multipletests

made = {}
for method in ("holm", "fdr_bh"):
    for p in ([0.01, np.nan, 0.03], [0.01, 0.03]):
        made[method, len(p)] = multipletests(p, method=method)[1]
        print(method, np.array(p), "->", made[method, len(p)])
assert np.isclose(made["holm", 3][0], 0.03) and np.isclose(made["holm", 2][0], 0.02), "changed"
assert np.isnan(made["fdr_bh", 3]).all() and not np.isnan(made["fdr_bh", 2]).any(), "changed"
PY
