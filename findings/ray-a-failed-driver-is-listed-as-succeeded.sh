#!/usr/bin/env bash
# Ray 2.60.0: the list of jobs calls a driver SUCCEEDED whatever exit code it ended with.
#
# A script that connects to a cluster by ray.init(address=...) is in the cluster's list of jobs, beside
# those that were submitted, with a status. Of a submitted job that status is FAILED if it ends with
# an exit code other than 0. Of the same script, started directly, it is SUCCEEDED: nobody has looked.
# So a launcher that reads the list to see whether its run failed must submit it.
#
# Seen: SUBMISSION exit code 3 -> FAILED
#       DRIVER     exit code 3 -> SUCCEEDED
set -euo pipefail
place=$(mktemp -d)
pid=
ended() {
  if [ -n "$pid" ]; then kill -- "-$pid" || true; wait "$pid" || true; fi
  rm -rf "$place"
} 2> /dev/null
trap ended EXIT
python3 -m venv "$place/env"
"$place/env/bin/pip" install -q --disable-pip-version-check 'ray[default]==2.60.0'
export RAY_USAGE_STATS_ENABLED=0 RAY_AUTH_MODE=disabled RAY_TMPDIR="$place"
free() { "$place/env/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
gcs=$(free) dashboard=$(free)
set -m
"$place/env/bin/ray" start --head --block --node-ip-address 127.0.0.1 --port "$gcs" --num-cpus 2 \
  --dashboard-host 127.0.0.1 --dashboard-port "$dashboard" > "$place/log" 2>&1 &
pid=$!
set +m
cat > "$place/fails.py" <<PY
import sys, ray
ray.init(address="127.0.0.1:$gcs", log_to_driver=False, logging_level="ERROR")
sys.exit(3)
PY
"$place/env/bin/python" - "$place" "http://127.0.0.1:$dashboard" <<'PY'
import subprocess, sys, time
from ray.job_submission import JobSubmissionClient

place, address = sys.argv[1:]
command = [f"{place}/env/bin/python", f"{place}/fails.py"]
for _ in range(120):
    try:
        client = JobSubmissionClient(address)
        client.list_jobs()
        break
    except (ConnectionError, RuntimeError):
        time.sleep(1)
submitted = client.submit_job(entrypoint=" ".join(command))
code = subprocess.run(command, stderr=subprocess.DEVNULL).returncode
seen = {}
for _ in range(120):
    jobs = client.list_jobs()
    seen = {job.type.value: str(job.status.value) for job in jobs if job.submission_id == submitted or not job.submission_id}
    if len(seen) == 2 and not {"PENDING", "RUNNING"} & set(seen.values()):
        break
    time.sleep(1)
for kind, status in sorted(seen.items(), reverse=True):
    print(f"{kind:10} exit code {code} -> {status}")
assert code == 3 and seen == {"SUBMISSION": "FAILED", "DRIVER": "SUCCEEDED"}, "changed"
PY
