"""Fetch a dataset, check it and describe it; make one file of a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import tyro

from lttune.config.lottery.data import DatasetName, is_path
from lttune.config.output.escaped import say
from lttune.config.rules import every_rule
from lttune.errors import listed

if TYPE_CHECKING:
    from lttune.data import Dataset

SPLITS = (
    "at random, not class by class: the validation pictures of each replicate, and the test part "
    "of a path that has none"
)
"""What is printed of how parts are drawn."""
LARGEST_EDGE = 2048
"""Pixels of an edge that pictures can be resized to; larger ones fill the memory."""

DATASET_HELP = (
    f"Dataset: {', '.join(get_args(DatasetName))}, or a path of your own: an .npz file or a folder "
    "of pictures in one folder a class, or a function, ./FILE.py:FUNCTION."
)


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is fetched, and where it is kept."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(help=DATASET_HELP)]
    """Dataset: a name, or a path of your own."""
    folder: Path | None = None
    """Where datasets are kept. None is LTTUNE_DATA, else a cache folder of the user."""
    size: int | None = None
    """Edge in pixels that the pictures of a folder of your own are made: the shorter edge is
    resized, the centre is cut out. Needs --save."""
    save: Path | None = None
    """An .npz file to be made of a folder of pictures: it loads at once, and in one size. One that
    is there already is not replaced."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            if self.size is not None:
                why = "larger pictures fill the memory"
                rules.whole("--size", self.size, least=1, most=LARGEST_EDGE, why=why)
                rule = "given with --save PATH.npz: studies read the resized file"
                given = ("--size", "--save")
                rules.require(self.save is not None, "--size", rule, self.size, given)
            ok = self.save is None or self.save.suffix == ".npz"
            rules.require(ok, "--save", "the path of an .npz file", str(self.save))
            ok = self.save is None or (is_path(self.name) and not self.name.endswith(".npz"))
            rule = "given with the path of a folder of pictures"
            rules.require(ok, "--save", rule, self.name, ("--save",))


def main(flags: Flags) -> int:
    """Prints a line each of what the dataset is, and returns the exit code."""
    from lttune.data import load
    from lttune.data.files import npz, picture_folder
    from lttune.data.made import PICTURES
    from lttune.records.own import use_named
    from lttune.store.files import require_absent, write_errors
    from lttune.store.regular import expanded

    name = flags.name
    if flags.save is not None:
        # Before thousands of pictures are read.
        require_absent(flags.save, "--save")
        arrays = picture_folder.read(expanded(name), flags.size)
        with write_errors(flags.save):
            npz.write_new(flags.save, arrays)
        name = str(flags.save)
    use_named(PICTURES, name)
    dataset = load(name, flags.folder)
    train, test = len(dataset.train_y), len(dataset.test_y)
    described = {
        "name": dataset.name,
        "pictures": f"{train:,} training (of which {dataset.validation:,} validate), {test:,} test",
        "shape": " x ".join(map(str, dataset.shape)),
        "classes": dataset.classes,
        "source": dataset.source,
        "digest": dataset.digest(),
        **_counts(dataset),
        "drawn": SPLITS,
    }
    if is_path(flags.name) and not flags.name.endswith(".npz"):
        folder = expanded(flags.name)
        passed = [str(entry.relative_to(folder)) for entry in picture_folder.passed_over(folder)]
        described["passed"] = f"{len(passed)} that are no picture of a class"
        described["passed"] += f": {listed(passed)}" if passed else ""
    width = max(map(len, described)) + 1
    for title, value in described.items():
        say(f"{title:<{width}}{value}")
    return 0


def _counts(dataset: Dataset) -> dict[str, str]:
    """Returns what is printed of the pictures of each class; a line if all have as many."""
    import numpy as np

    counts = [np.bincount(y, minlength=dataset.classes) for y in (dataset.train_y, dataset.test_y)]
    lines = [f"{train:,} training, {test:,} test" for train, test in zip(*counts, strict=True)]
    if len(set(lines)) == 1:
        return {"each": lines[0]}
    return {f"class {number}": line for number, line in enumerate(lines)}
