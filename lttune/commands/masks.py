"""Compare masks: what they have in common, and what chance would give; join them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lttune.config.output.escaped import say
from lttune.config.rules import every_rule
from lttune.store.remote.url import require_where


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Which masks, and what becomes of them."""

    tickets: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Two or more: files of masks (of lttune, torch.nn.utils.prune, torch.ao, NNI or open_lth), or
    tickets of a study, results/NAME:TRIAL/REPLICATE/LEVEL."""
    combine: Literal["union", "intersection"] | None = None
    """Joins all of them into one mask."""
    store: str | None = None
    """Where the networks of studies among them are, as it was given to those. None is
    results/cells."""
    out: Path | None = None
    """The .safetensors file of the joined mask. One that is there already is not replaced."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            given = " ".join(self.tickets)
            enough = len(self.tickets) >= 2 or not rules.all_read
            rules.require(enough, "TICKETS", "at least two", given)
            both = (self.combine is None) == (self.out is None)
            value, given = self.combine or str(self.out), ("--combine", "--out")
            rules.require(both, "--combine and --out", "given together", value, given)
            ok = self.out is None or self.out.suffix == ".safetensors"
            rules.require(ok, "--out", "a .safetensors file", str(self.out))
            rules.beside("--out", self.out)
            rules.attempt(lambda: require_where("--store", self.store))


def main(flags: Flags) -> int:
    """Prints a table for each pair, writes the joined mask, and returns the exit code."""
    from lttune.exchange.overlap import masks_of, overlap_lines
    from lttune.exchange.tensors import mask_tensors, write
    from lttune.models import masks
    from lttune.store.files import require_absent

    if flags.out is not None:
        require_absent(flags.out)
    found = masks_of(flags.tickets, flags.store)
    for one, other in itertools.combinations(range(len(found)), 2):
        say(f"A {flags.tickets[one]}", f"B {flags.tickets[other]}")
        say(*overlap_lines(found[one], found[other]))
    if flags.combine is not None and flags.out is not None:
        join = {"union": masks.union, "intersection": masks.intersection}[flags.combine]
        mask = join(*found)
        sources = json.dumps(flags.tickets)
        write(flags.out, mask_tensors(mask), {"combine": flags.combine, "masks": sources})
        say(f"{flags.out}: {flags.combine} of {len(found)}, density {masks.density(mask):.4f}")
    return 0
