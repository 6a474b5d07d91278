"""Studies whose trials are run by the test's own process, one after the other.

For tests of what a study trains, records and reports. That Ray starts workers, passes levels on,
repeats what died and stops what is asked to is what the tests that use ``ray_address`` see.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.search import Searcher

from lttune.data import Dataset
from lttune.records.ledger import Ledger
from lttune.records.own import OwnCode
from lttune.store.disk import Room
from lttune.store.remote.places import absolute, remarks
from lttune.study import conductor
from lttune.study.search.searcher import InTime, StudySearcher
from lttune.study.settings import StudyConfig
from lttune.study.workers import tune
from lttune.study.workers.nodes import Agreement
from lttune.study.workers.trainable import LotteryTrainable


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Runs studies without Ray, by the code that a worker runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conductor, "start_ray", lambda config: {"CPU": 1.0})
        patch.setattr(conductor, "agreed", _agreed)
        patch.setattr(conductor, "run_trials", _run_trials)
        patch.setattr(conductor, "end_ray", lambda: None)
        patch.setattr(conductor, "children_guarded", contextlib.nullcontext)
        yield


def _agreed(
    config: StudyConfig,
    engine: str,
    resources: Mapping[str, float],
    is_begun: bool,
    needed: Room,
) -> Agreement:
    return Agreement(engine=engine, cores=resources["CPU"], lines=remarks(config.cells))


def _run_trials(
    config: StudyConfig,
    ledger: Ledger,
    searcher: StudySearcher,
    datasets: Mapping[str, Dataset],
    listener: tune.Listener,
    concurrent: int,
    agreed: Agreement,
    codes: Sequence[OwnCode] = (),
) -> None:
    assert concurrent == 1
    assert not config.asha, "who stops trials is Ray's scheduler"
    bridge = tune._Bridge(ledger, searcher, listener, "run")
    shared = {"datasets": datasets, "store": absolute(config.cells), "seed": config.seed}
    shared |= {"device": config.device, "engine": agreed.engine, "objective": config.objective}
    shared |= {"codes": _sent(list(codes))}
    worker: LotteryTrainable | None = None
    for number in itertools.count():
        trial = SimpleNamespace(trial_id=f"{number:05d}")
        asked = searcher.suggest(trial.trial_id)
        if asked == Searcher.FINISHED:
            return
        assert asked is not None, "nothing runs that could make room for another trial"
        bridge.on_trial_start(0, [], trial)
        if worker is None:
            # Ray's own part of it makes folders that nobody reads.
            worker = LotteryTrainable.__new__(LotteryTrainable)
            worker.setup(_sent(asked), **shared, stops=False)
        else:
            worker.reset_config(_sent(asked))
        _run_trial(worker, trial, searcher, bridge)


def _run_trial(
    worker: LotteryTrainable, trial: Any, searcher: StudySearcher, bridge: tune._Bridge
) -> None:
    """Passes the levels of a trial on in the order in which Tune does."""
    while True:
        result = _sent({**worker.step(), "pid": os.getpid()})
        is_put_off = InTime(searcher)(trial.trial_id, result)
        bridge.on_trial_result(0, [], trial, result)
        if result["done"] or is_put_off:
            searcher.on_trial_complete(trial.trial_id, result)
            bridge.on_trial_complete(0, [], trial)
            return
        searcher.on_trial_result(trial.trial_id, result)


def _sent(value: Any) -> Any:
    """Returns what arrives in another process."""
    return pickle.loads(pickle.dumps(value))
