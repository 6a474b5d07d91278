"""Which examples are learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from lttune.config.fields import is_number
from lttune.config.own import OWN_FORM, is_own_code
from lttune.config.rules import MOST_EXAMPLES, WHY_EXAMPLES, every_rule
from lttune.errors import unknown

DatasetName = Literal["mnist", "fashion-mnist", "cifar10", "cifar100", "digits", "digit-scenes"]
AugmentName = Literal["none", "flip", "crop", "flip-crop"]
TaskName = Literal["classes", "rotation"]

DATASET_SETTINGS = ("data.name", "target.data", "pretrain.data")
"""Settings of a trajectory that name datasets, its own first; those of the others may be None."""

LONGEST_EDGE = 10_000
"""Pixels of the longest edge that a picture can have."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which examples are learned from, and what is done to them first."""

    name: str = "mnist"
    """Dataset: mnist, fashion-mnist, cifar10, cifar100, digits (scikit-learn's 1,797, for trials),
    digit-scenes (coloured pictures made from them), or a path of your own: an .npz file or a folder
    of pictures in one folder a class, or ./FILE.py:FUNCTION, a function that returns the arrays of
    an .npz file (docs/your-own-parts.md)."""
    validation: int | None = None
    """Training examples set aside for validation, at random per replicate. None is the dataset's
    custom: 5,000 of MNIST and CIFAR as in the paper, 237 of digits."""
    pool: int = 1
    """Pictures are averaged over squares of this edge: 2 makes MNIST 14 x 14. Pixels keep the
    scaling of the whole pictures."""
    blur: int = 1
    """Pictures are pooled by this factor and enlarged again: detail is lost, size is kept."""
    task: TaskName = "classes"
    """What is learned: classes, or rotation (every picture turned by 0, 90, 180 and 270 degrees;
    its angle is the class), for pretraining without labels."""
    augment: AugmentName = "none"
    """What is done to a training picture each time it is used: flip left and right, crop (padded
    by 4 black pixels, cropped at random), flip-crop (both, as in the paper for CIFAR-10), or
    none."""
    subsample: float = 1.0
    """Share of the training examples that is used, drawn per replicate, in (0, 1]."""
    label_noise: float = 0.0
    """Share of the training labels replaced by another class at random, in [0, 1]. Validation and
    test labels stay true."""
    permute_labels: bool = False
    """Whether the classes of all examples are renamed by a random permutation per replicate."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "data.")
            rules.attempt(lambda: require_dataset("data.name", self.name))
            if self.validation is not None:
                what = "data.validation", self.validation
                rules.whole(*what, least=1, most=MOST_EXAMPLES, why=WHY_EXAMPLES)
            for name in ("pool", "blur"):
                value = getattr(self, name)
                rules.whole(f"data.{name}", value, 1, LONGEST_EDGE, "no picture is wider")
            rules.choice("data.task", self.task, TaskName)
            rules.choice("data.augment", self.augment, AugmentName)
            ok = is_number(self.subsample) and 0 < self.subsample <= 1
            rules.require(ok, "data.subsample", "in (0, 1]", self.subsample)
            ok = is_number(self.label_noise) and 0 <= self.label_noise <= 1
            rules.require(ok, "data.label_noise", "in [0, 1]", self.label_noise)


def is_path(name: str) -> bool:
    """Returns whether a dataset's name is the path of one's own."""
    if is_own_code(name):
        return False
    return "/" in name or "\\" in name or name.endswith(".npz")


def require_dataset(path: str, name: object) -> None:
    """Raises ``ConfigError`` unless ``name`` is a known dataset or the path of one."""
    known = get_args(DatasetName)
    if not isinstance(name, str) or not (name in known or is_path(name) or is_own_code(name)):
        raise unknown(path, name, (*known, "PATH.npz", "./FOLDER", OWN_FORM))
