"""The presets by the names of their rows in the paper's Figure 2."""

from lttune.config import LotteryConfig, presets

PRESETS = {
    name.lower().replace("_", "-"): getattr(presets, name)
    for name in presets.__all__
    if isinstance(getattr(presets, name), LotteryConfig)
}
