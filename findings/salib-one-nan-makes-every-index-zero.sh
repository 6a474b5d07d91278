#!/usr/bin/env bash
# SALib 1.6.0: one NaN among the outputs makes every Sobol' index 0, without an error.
#
# A model run that failed is a NaN in Y. analyze() normalises Y by its mean and standard deviation,
# which are NaN then; what comes out is not NaN, which one would see, but first-order and total
# indices of exactly 0 for all factors: "nothing matters". (The confidence intervals are 0 too.)
#
# Seen: without NaN  S1 [0.2 0.8 0. ]  ST [0.2 0.8 0. ]
#       with one NaN S1 [0. 0. 0.]     ST [0. 0. 0.]
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check \
  SALib==1.6.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
"$place/env/bin/python" - <<'PY'
import warnings

import numpy as np
from SALib.analyze import sobol as analysis
from SALib.sample import sobol as sampling

warnings.simplefilter("ignore")
problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[0, 1]] * 3}
x = sampling.sample(problem, 256, calc_second_order=False, seed=0)
y = x[:, 0] + 2 * x[:, 1]
for what, outputs in (("without NaN", y), ("with one NaN", np.where(np.arange(len(y)) == 5, np.nan, y))):
    found = analysis.analyze(problem, outputs, calc_second_order=False, seed=0)
    print(f"{what}: S1 {np.round(found['S1'], 2)} ST {np.round(found['ST'], 2)}")
assert (found["S1"] == 0).all() and (found["ST"] == 0).all(), "the behaviour has changed"
PY
