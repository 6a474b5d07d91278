"""Which replicates to train next, so that most claims are decided with the least training."""
