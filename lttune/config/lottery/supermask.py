"""How a supermask is learned."""

from __future__ import annotations

from dataclasses import dataclass

from lttune.config.fields import is_number
from lttune.config.rules import MOST_PASSES, WHY_PASSES, every_rule


@dataclass(frozen=True, kw_only=True)
class SupermaskConfig:
    """How a mask is learned on weights that are not trained (Zhou et al. 2019, section 5)."""

    lr: float = 100.0
    """Learning rate of SGD with momentum 0.9 on the masks' logits, > 0."""
    logit: float = 0.0
    """Initial logit of every weight: it is in the network with probability sigmoid(logit)."""
    rescale: bool = True
    """Whether a layer's weights are divided by the share that its mask keeps."""
    signed_constant: bool = False
    """Whether the weights are the layer's deviation with the sign that was drawn."""
    round: bool = False
    """Whether the mask is the weights that are more likely in the network than not, instead of a
    draw. ``logit`` must then be > 0: no weight is in the network at 0, and nothing is learned."""
    samples: int = 10
    """Masks drawn for the mean accuracy of an evaluation; 1 or more. Without
    draws one mask is all."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            rules.kinds(self, "supermask.")
            ok = is_number(self.lr) and self.lr > 0
            rules.require(ok, "supermask.lr", "a finite number > 0", self.lr)
            rules.require(is_number(self.logit), "supermask.logit", "a finite number", self.logit)
            ok = self.round is not True or not is_number(self.logit) or self.logit > 0
            rule = "> 0 where supermask.round is True"
            rules.require(ok, "supermask.logit", rule, self.logit)
            what = "supermask.samples", self.samples
            rules.whole(*what, least=1, most=MOST_PASSES, why=WHY_PASSES)
