"""What becomes of the sum that a convolution is at a place of its target."""

RELU, GATED, PLAIN, ADDED = range(4)
"""Only where it is positive, only where the target was, always; added to the target, where that is
positive."""
