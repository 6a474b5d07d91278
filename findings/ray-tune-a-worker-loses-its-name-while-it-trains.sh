#!/usr/bin/env bash
# Ray Tune 2.60.0: with resources of its own, a trainable is not to be found by its name while it trains.
#
# During a call Ray gives a worker's process the title of class and method. tune.with_resources() wraps a
# trainable class in another that takes over its __name__ but not its __qualname__, which the title of
# a call is made of. So of all studies the workers that train are called ray::ResourceTrainable.train,
# and a monitor (ps, psutil) that looks for the trainable's name misses them.
#
# Seen: without resources, during a step: ray::Digits.train
#       with_resources,    during a step: ray::ResourceTrainable.train
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check \
  'ray[tune]==2.60.0' pandas==3.1.1 pyarrow==25.0.1
export RAY_USAGE_STATS_ENABLED=0 RAY_TMPDIR="$place"
cat > "$place/study.py" <<'PY'
import sys, time
from pathlib import Path
import ray
from ray import tune


class Digits(tune.Trainable):
    def step(self):
        time.sleep(1)
        title = Path("/proc/self/cmdline").read_bytes().split(b"\0")[0].decode().strip()
        return {"title": title, "done": True}

    def save_checkpoint(self, folder):
        return {}

    def load_checkpoint(self, state):
        pass


seen, shown = {}, open(3, "w")
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
for name, made in ("without", Digits), ("with_resources", tune.with_resources(Digits, {"cpu": 1})):
    config = tune.RunConfig(storage_path=sys.argv[1], verbose=0)
    results = tune.Tuner(made, run_config=config).fit()
    seen[name] = results[0].metrics["title"]
    print(f"{name:14} during a step: {seen[name]}", file=shown)
ray.shutdown()
assert seen == {"without": "ray::Digits.train", "with_resources": "ray::ResourceTrainable.train"}, "changed"
PY
"$place/env/bin/python" "$place/study.py" "$place" 3>&1 > "$place/log" 2>&1
