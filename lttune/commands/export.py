"""Write a ticket for plain PyTorch: a state dict, or the form of torch.nn.utils.prune."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lttune.config.fields import require


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Which network of a study, and how it is written."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of the study: results/NAME."""
    trial: int = 0
    """Number of the trial in the study."""
    replicate: int = 0
    """Replicate of the trial."""
    level: int
    """Level of the trajectory; 0 is dense."""
    branch: str = "trunk"
    """trunk, or a branch whose weights are kept, such as sibling."""
    form: Literal["state-dict", "torch-prune"] = "state-dict"
    """state-dict is what a plain module loads, with exact zeros, and beside it a file of the mask;
    torch-prune is the state_dict of a module under torch.nn.utils.prune."""
    weights: Literal["trained", "start"] = "trained"
    """trained: at the end of the level's training; start: where that began."""
    out: Path = Path("ticket.safetensors")
    """The file to write."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        require(self.out.suffix == ".safetensors", "--out", "a .safetensors file", str(self.out))


def main(flags: Flags) -> int:
    """Writes the file, says what is in it, and returns the exit code."""
    from lttune import masks
    from lttune.description import described
    from lttune.exchange import FORMS, mask_tensors, write
    from lttune.tickets import Place, find

    found = find(
        Place(
            study=flags.study,
            trial=flags.trial,
            replicate=flags.replicate,
            level=flags.level,
            branch=flags.branch,
        )
    )
    weights, steps = found.weights(flags.weights)
    mask = found.mask
    metadata = {**described(found), "weights": flags.weights, "form": flags.form}
    write(flags.out, FORMS[flags.form](weights, mask, found.network, steps), metadata)
    if flags.form == "state-dict":
        write(flags.out.with_suffix(".mask.safetensors"), mask_tensors(mask), metadata)
    accuracy = found.row["end_test_accuracy"]
    print(f"{flags.out}: {flags.weights} weights of {found.place}")
    print(f"density {masks.density(mask):.4f}, test accuracy {accuracy:.4f} after training")
    return 0
