"""Write a ticket for plain PyTorch, or a whole study for Optuna, DeepCAVE or a spreadsheet."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lttune.config.control import TRUNK
from lttune.config.output.escaped import say
from lttune.config.rules import every_rule
from lttune.store.remote.url import require_where

Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff]


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is written: one network of a study (--level), or all of it (--optuna, --csv, ...)."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of the study: results/NAME."""
    optuna: Switch = False
    """Write the study as an Optuna database, which optuna-dashboard opens."""
    csv: Switch = False
    """Write its tables as a folder of CSV files."""
    deepcave: Switch = False
    """Write it as a folder of runs of DeepCAVE."""
    curves: Switch = False
    """Add to its curves.parquet what that lacks: each evaluation of each network in the store."""
    trial: int = 0
    """Number of the trial in the study."""
    replicate: int = 0
    """Replicate of the trial."""
    level: int | None = None
    """Level of the trajectory; 0 is dense."""
    branch: str = TRUNK
    """trunk, or a branch whose weights are kept: sibling, or a control of your own."""
    form: Literal["state-dict", "torch-prune", "compact", "smaller"] = "state-dict"
    """state-dict is what a plain module loads, with exact zeros, and beside it a file of the mask;
    torch-prune is the state_dict of a module under torch.nn.utils.prune; compact has the survivors
    and the mask's bits only; smaller is a dense network without the channels and units that do
    nothing, of a LeNet, Conv-2, -4, -6 or VGG."""
    weights: Literal["trained", "start"] = "trained"
    """trained: at the end of the level's training; start: where that began."""
    store: str | None = None
    """Where the study's networks are, as it was given to the study. None is results/cells."""
    out: Path | None = None
    """What to write. None is ticket.safetensors here, and in the study's folder optuna.db, csv or
    deepcave. What is there already is left."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        given = {f.name for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        whole = {**self.whole(), "curves": self.curves}
        asked = [] if self.level is None else ["level"]
        asked += [name for name, is_asked in whole.items() if is_asked]
        of_a_ticket = sorted(given & OF_A_TICKET - ({"store"} if self.curves else set()))
        with every_rule() as rules:
            # Of what is no study, it is no question what is exported: that it is none is told.
            is_clear = len(asked) == 1 or not (asked or (self.study / "study.json").exists())
            rule = f"given by one of --level, {', '.join(f'--{name}' for name in whole)}"
            found = [f"--{name}" for name in asked] or "none of them"
            rules.require(is_clear, "what is exported", rule, found, ("STUDY", "--level"))
            alone = asked in ([], ["level"]) or not of_a_ticket
            rule, one = "given without flags of one ticket", "".join(asked[:1])
            rules.require(alone, f"--{one}", rule, of_a_ticket, ("what is exported", "--level"))
            ok = asked != ["level"] or self.out is None or self.out.suffix == ".safetensors"
            rules.require(ok, "--out", "a .safetensors file", str(self.out))
            is_other = asked != ["curves"] or self.out is None
            rules.require(is_other, "--out", "left out with --curves", str(self.out))
            rules.attempt(lambda: require_where("--store", self.store))

    def whole(self) -> dict[str, bool]:
        """Returns name of ``lttune.exchange.studies.EXPORTS`` -> whether it is asked for."""
        return {"optuna": self.optuna, "csv": self.csv, "deepcave": self.deepcave}


OF_A_TICKET = {"trial", "replicate", "branch", "form", "weights", "store"}
"""Flags that mean nothing for a whole study."""


def main(flags: Flags) -> int:
    """Writes what is asked for, says what is in it, and returns the exit code."""
    from lttune.records.folder import read_sheet

    read_sheet(flags.study)
    if flags.curves:
        return _curves(flags)
    return _study(flags) if flags.level is None else _ticket(flags, flags.level)


def _curves(flags: Flags) -> int:
    from lttune.exchange.studies.curves import complete_curves

    say(*complete_curves(flags.study, flags.store))
    return 0


def _study(flags: Flags) -> int:
    from lttune.exchange import studies
    from lttune.store.files import write_errors

    (form,) = (studies.EXPORTS[name] for name, is_asked in flags.whole().items() if is_asked)
    folder = studies.Folder.read(flags.study)
    out = flags.out or flags.study / form.place
    with write_errors(out):
        lines = form.write(folder, out)
    say(f"{out}: the study {folder.name}", *lines)
    return 0


def _ticket(flags: Flags, level: int) -> int:
    from lttune.exchange.description import described
    from lttune.exchange.tensors import TENSOR_FORMS, layers_told, mask_tensors, units_told, write
    from lttune.exchange.tickets import Place, find_network
    from lttune.models import masks
    from lttune.store.files import require_absent

    found = find_network(
        Place(
            study=flags.study,
            trial=flags.trial,
            replicate=flags.replicate,
            level=level,
            branch=flags.branch,
            store=flags.store,
        )
    )
    weights, steps = found.weights(flags.weights)
    mask, out = found.mask, flags.out or Path("ticket.safetensors")
    beside = [out.with_suffix(".mask.safetensors")] if flags.form == "state-dict" else []
    for path in (out, *beside):
        require_absent(path)
    metadata = {**described(found), "weights": flags.weights, "form": flags.form}
    tensors, told = TENSOR_FORMS[flags.form](weights, mask, found.network, steps), []
    if flags.form == "smaller":
        metadata["layers"] = layers_told(tensors, found.network)
        metadata["shapes"] = json.dumps({name: list(v.shape) for name, v in tensors.items()})
        told = [units_told(tensors, found.network)]
    write(out, tensors, metadata)
    for path in beside:
        write(path, mask_tensors(mask), metadata)
    accuracy = found.row["end_test_accuracy"]
    say(f"{out}: {flags.weights} weights of {found.place}")
    told.append(f"density {masks.density(mask):.4f}, test accuracy {accuracy:.4f} after training")
    say(*told)
    return 0
