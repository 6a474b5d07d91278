#!/usr/bin/env bash
# numba 0.68.1: a program whose NamedTuple got another name fails on the cache of its last version.
#
# A cached function looks at its file's time and size before it believes what its cache holds, so one
# expects a changed file to be compiled anew, as it is when anything else changes. But the index of
# the cache is unpickled first, and that has the classes of the arguments in it, by their names. Where
# one has another name now, the first call raises what pickle says, at every start, until somebody
# finds the files and removes them.
#
# Seen: version 1: 3.0; version 2, only its body is another: 4.0; version 3, the class has another
#       name: AttributeError: Can't get attribute 'Pair' on <module 'kernels' ...>
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cd "$place"
version() {
  cat > kernels.py <<PY
from typing import NamedTuple

import numba


class $1(NamedTuple):
    a: float
    b: float


@numba.njit(cache=True)
def total(pair):
    return pair.a + pair.b + $2


def run():
    return total($1(1.0, 2.0))
PY
  "$place/env/bin/python" -c 'import kernels; print(kernels.run())' 2>&1 | tail -n 1
}
first=$(version Pair 0)
second=$(version Pair 1)
third=$(version Couple 1 || true)
echo "version 1: $first; version 2: $second"
echo "version 3: $third"
[[ "$first $second" == '3.0 4.0' ]] || { echo "the behaviour has changed" >&2; exit 1; }
[[ $third == "AttributeError: Can't get attribute 'Pair'"* ]] || {
  echo "the behaviour has changed" >&2
  exit 1
}
