"""How a trajectory is asked for: everything that can be checked is checked before it trains."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from lttune.config import LotteryConfig
from lttune.config.control import ControlName, require_branches
from lttune.config.fields import as_python, is_int, is_number
from lttune.config.machine import DeviceName, EngineName
from lttune.config.rules import every_rule
from lttune.data import load
from lttune.errors import ConfigError, quoted
from lttune.models.architectures import FAMILIES
from lttune.models.own.code import NetworkFunction
from lttune.store.regular import expanded
from lttune.store.remote.places import remarks, require_store, store_at
from lttune.store.remote.url import is_url, require_where
from lttune.store.store import Store
from lttune.training.engines import Needs, choose, make, warm
from lttune.trajectory.branches import HOLDING
from lttune.trajectory.checks import check_controls, check_fit, check_idle, check_own_parts
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.measurements.observed import MeasureFunction
from lttune.trajectory.notebook.memory import MemoryStore
from lttune.trajectory.notebook.networks import rows_known, with_networks, with_parts
from lttune.trajectory.notebook.observations import Observations
from lttune.trajectory.notebook.surroundings import worker_settings
from lttune.trajectory.notebook.walk import Trajectory


def trajectory(
    config: LotteryConfig,
    *,
    controls: Sequence[ControlName | str] = (),
    control_densities: Sequence[float] = (),
    network: NetworkFunction | None = None,
    measure: MeasureFunction | None = None,
    store: Path | str | None = None,
    replicate: int = 0,
    seed: int = 0,
    engine: EngineName = "auto",
    device: DeviceName = "cpu",
) -> Trajectory:
    """Returns one trajectory, whose levels are trained as they are iterated over.

    Args:
        config: train, prune, rewind, and again.
        controls: names of ``lttune.config.control.CONTROLS``, or of your own (./FILE.py:FUNCTION),
            trained beside each ticket.
        control_densities: densities at which they are wanted, each at the two levels around; empty
            is every level.
        network: a function of the notebook, of the shape of a picture (channels, height, width) and
            the number of classes, which returns a module; None is the network of ``model.name``.
        measure: called at every evaluation with the step and the network, in copies; returns a
            number, or names and numbers, which ``Trajectory.evaluations`` has.
        store: folder of trained networks, such as ``results/cells`` of studies, or the URL that
            their ``--store`` is: what is there is not trained again, and what is trained is kept.
            None keeps it in memory.
        replicate: which repetition, from 0; of the same number as in a study, it has the same
            split, initial weights and data order.
        seed: root of all random streams, as of a study.
        engine: how networks are trained (``lttune.config.machine``).
        device: where.

    Raises:
        ConfigError: with a line for each mistake; nothing is trained then.
        DataError: if a dataset is missing or damaged.
        ResourceError: if the engine cannot train the network here, or there is no such device.
        StorageError: if the store cannot be written.
    """
    if not isinstance(config, LotteryConfig):
        raise ConfigError(f"config must be a LotteryConfig, got {quoted(config)}")
    numbers = controls, control_densities, replicate, seed
    controls, control_densities, replicate, seed = as_python(numbers)
    with every_rule(part=False) as rules:
        ok = _is_list(controls) and all(isinstance(name, str) for name in controls)
        ok = ok and len(set(controls)) == len(controls)
        rules.require(ok, "controls", "a list or tuple of names, each once", controls)
        rules.attempt(lambda: check_controls(controls if ok else (), config))
        require_branches(rules, controls if ok else ())
        ok = _is_list(control_densities)
        ok = ok and all(is_number(density) and 0 < density <= 1 for density in control_densities)
        rule = "a list or tuple of numbers in (0, 1]"
        rules.require(ok, "control_densities", rule, control_densities)
        ok = is_int(replicate) and 0 <= replicate < 2**31
        rules.require(ok, "replicate", "a whole number from 0 to 2^31 - 1", replicate)
        ok = is_int(seed) and 0 <= seed < 2**63
        rules.require(ok, "seed", "a whole number from 0 to 2^63 - 1", seed)
        ok = store is None or isinstance(store, Path | str)
        rules.require(ok, "store", "a folder, a URL, or None", store)
        if ok and store is not None:
            rules.attempt(lambda: require_where("store", str(store)))
        rules.choice("engine", engine, EngineName)
        rules.choice("device", device, DeviceName)
        rule = "left out with a network of the notebook, which no file identifies: write it to one "
        rule += "(%%writefile net.py) and give model.name './net.py:FUNCTION'"
        rules.require(store is None or network is None, "store", rule, str(store), ("store",))
        rule = "left out with measure, since what is taken from a store is not measured"
        rules.require(store is None or measure is None, "store", rule, str(store), ("store",))
        ok = measure is None or (callable(measure) and config.method == "prune")
        rules.require(ok, "measure", "a function, and method 'prune'", measure)
        rule = "left out where train.measure names functions"
        rules.require(measure is None or not config.train.measure, "measure", rule, measure)
        ok = network is None or callable(network)
        rule = "a function of the shape of a picture and the number of classes"
        rules.require(ok, "network", rule, network)
        rules.attempt(lambda: check_idle(config, [config]))
    config, rows = with_networks(config, network)
    parts = with_parts(config, controls)
    datasets = {name: load(name) for name in config.dataset_names}
    with rows_known(FAMILIES, rows), worker_settings():
        config = check_fit(config, datasets)
        check_own_parts([config], datasets, controls)
        needs = Needs(
            device=device,
            networks=[network_of(config, datasets[config.data.name])],
            configs=[config],
            datasets=datasets.values(),
            holds=not HOLDING.isdisjoint(controls),
        )
        name, reason = choose(engine, needs)
        trained_by = make(name, device)
        warm(name)
    observations = Observations(measure) if measure else None
    observer = observations.observer if observations else None
    kept = MemoryStore() if store is None else _opened(str(store))
    return Trajectory(
        config,
        replicate=replicate,
        controls=controls,
        control_densities=control_densities,
        lab=Lab(datasets, trained_by, kept, seed, device, observer),
        engine=name,
        reason=reason,
        rows=rows,
        parts=parts,
        observations=observations,
    )


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _opened(store: str) -> Store:
    where = store if is_url(store) else str(expanded(store))
    require_store(where)
    for text in remarks(where):
        warnings.warn(text, stacklevel=3)
    return store_at(where)
