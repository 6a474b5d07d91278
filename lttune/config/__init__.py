"""What one trajectory is: frozen, keyword-only values, each checked where it is declared.

The defaults are LeNet-300-100 on MNIST as in Frankle & Carbin (2019), Figure 2. A dotted path such
as ``train.lr`` names a field everywhere: in a search space, on the command line, as an MLflow
parameter and as a column of the records.
"""

from lttune.config.fields import differences, digest, flatten, require
from lttune.config.lottery.data import DataConfig
from lttune.config.lottery.lottery import DEPTH, LotteryConfig, from_dict
from lttune.config.lottery.model import ModelConfig
from lttune.config.lottery.pretrain import PretrainConfig
from lttune.config.lottery.prune import PruneConfig
from lttune.config.lottery.supermask import SupermaskConfig
from lttune.config.lottery.target import TargetConfig
from lttune.config.lottery.train import TrainConfig

__all__ = [
    "DEPTH",
    "DataConfig",
    "LotteryConfig",
    "ModelConfig",
    "PretrainConfig",
    "PruneConfig",
    "SupermaskConfig",
    "TargetConfig",
    "TrainConfig",
    "differences",
    "digest",
    "flatten",
    "from_dict",
    "require",
]
