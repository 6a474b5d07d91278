"""What a claim reads: the networks that a study trained, as curves over density."""
