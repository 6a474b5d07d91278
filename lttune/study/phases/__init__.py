"""The trials of each phase, its winners, and what they cost."""
