"""Kills for half an hour: a study whose driver and workers die at random says what another says.

    python tests/faults/soak.py --minutes 30

Every round is a study of its own, of MNIST at scale smoke, killed again and again until it is
complete; what it says is compared with the one that nobody killed. Exit code 1 if any differs.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from lttune.records.schema import read
from lttune.store.sealed import read_object

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "lenet_sensitivity.py"
WORKER = "Trainable"
"""In the title that Ray gives to the process of a trial."""
PAUSE = (0.1, 0.6)
"""Between two kills, least and most, as parts of the time that the study takes undisturbed."""
DIFFER = {"train_time_s", "eval_time_s", "trained", "host", "reused", "seconds"}
"""What two runs of one study do not share."""


def started(out: Path) -> subprocess.Popen[bytes]:
    """Starts the study's driver; its output goes into a log beside its folder."""
    command = [sys.executable, str(STUDY), "--scale", "smoke", "--out", str(out)]
    command += ["--tracking-uri", f"sqlite:///{out}/mlflow.db"]
    with (out / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=out, stdout=log, stderr=log, start_new_session=True)


def said(out: Path) -> dict[str, Any]:
    """Returns what a study says, without its times."""
    (sheet,) = out.glob("*/study.json")
    rows = {name: read(sheet.parent / f"{name}.parquet") for name in ("records", "layers")}
    rows["trials"] = read_object(sheet.parent / "trials.json")["trials"]
    return {
        name: [{k: v for k, v in row.items() if k not in DIFFER} for row in table]
        for name, table in rows.items()
    }


def kill(driver: subprocess.Popen[bytes], rng: random.Random) -> str:
    """Kills a worker of a driver, or the driver itself; returns which."""
    workers = list[psutil.Process]()
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(driver.pid).children(recursive=True)
        workers = [one for one in family if WORKER in " ".join(one.cmdline())]
    # Most of the time there is none: Ray starts, or the study ends.
    if workers and rng.random() < 0.7:
        with contextlib.suppress(psutil.Error):
            rng.choice(workers).kill()
        return "worker"
    driver.kill()
    return "driver"


def round_of(out: Path, rng: random.Random, alone: float) -> dict[str, int]:
    """Runs a study, of that many seconds alone, to its end through kills; counts them by kind."""
    kills = {"driver": 0, "worker": 0}
    driver = started(out)
    while True:
        try:
            code = driver.wait(timeout=alone * rng.uniform(*PAUSE))
        except subprocess.TimeoutExpired:
            kills[kill(driver, rng)] += 1
            continue
        if code == 0:
            return kills
        # Killed by us, or a trial whose workers died more often than Ray repeats them.
        assert code in (-9, 1), (code, (out / "log.txt").read_text()[-2000:])
        driver = started(out)


def main() -> int:
    """Runs rounds until the time is over, prints a line for each, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng, differ = random.Random(asked.seed), 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        began = time.monotonic()
        assert started(whole).wait() == 0, (whole / "log.txt").read_text()
        alone, expected = time.monotonic() - began, said(whole)
        end, number = time.monotonic() + 60 * asked.minutes, 0
        while time.monotonic() < end:
            number, began = number + 1, time.monotonic()
            out = Path(folder) / f"{number}"
            out.mkdir()
            kills = round_of(out, rng, alone)
            equal = said(out) == expected
            differ += not equal
            seconds = time.monotonic() - began
            alone = min(alone, seconds)  # Something else may have run beside the first.
            verdict = "the same" if equal else "DIFFERS"
            print(f"round {number}: {kills} {seconds:.0f} s: {verdict}", flush=True)
    print(f"{number} studies, {differ} differ")
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
