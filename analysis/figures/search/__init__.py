"""Figures of searches: the budget, what is best, what was confirmed."""
