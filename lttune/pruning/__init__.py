"""Which weights go next: how each is scored, who competes, and exactly how many go."""
