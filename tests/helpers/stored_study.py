"""A finished study in a folder, made in a second, without Ray."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import digits_study

from lttune.config import LotteryConfig
from lttune.data import load
from lttune.records import schema
from lttune.records.ledger import Ledger
from lttune.store.plain_json import write_json
from lttune.store.store import Store
from lttune.study.manifest import sheet
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial


def make(
    out: Path,
    lottery: LotteryConfig = digits_study.LOTTERY,
    trials: tuple[dict, ...] = ({},),
    replicates: tuple[int, ...] = (0,),
    controls: tuple[str, ...] = (),
    name: str = "digits",
    control_densities: tuple[float, ...] = (),
    has_layers: bool = False,
) -> Path:
    """Trains every trial's hyperparameters and returns the study's folder."""
    dataset = load(lottery.data.name)
    engine = TorchEngine()
    settings = {"name": name, "out": out, "control_densities": control_densities}
    config = dataclasses.replace(digits_study.SMOKE, lottery=lottery, **settings)
    before = {lottery.pretrain.data: load(lottery.pretrain.data)} if lottery.pretrain.data else {}
    lab = Lab(
        {**before, lottery.data.name: dataset}, engine, Store(Path(config.cells)), config.seed
    )
    ledger, rows, layers = Ledger(path=config.folder / "trials.json"), [], []
    for number, hparams in enumerate(trials):
        trial = ledger.add("anchor", "", hparams, list(replicates), list(controls))
        trial.state = "complete"
        whose = {"study": name, "phase": "anchor", "trial": number}
        own = lottery.override(hparams)
        for report in run_trial(own, replicates, controls, lab, control_densities):
            rows += [whose | row for row in report["rows"]]
            layers += [whose | row for row in report["layers"]]
    config.folder.mkdir(parents=True)
    ledger.save()
    write_json(
        config.folder / "study.json", sheet(config, digits_study.STUDY, dataset, engine.numerics)
    )
    schema.write(config.folder / "records.parquet", rows)
    if has_layers:
        schema.write(config.folder / "layers.parquet", layers, schema.LAYERS)
    return config.folder
