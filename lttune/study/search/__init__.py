"""Optuna: what it proposes, when it learns, which trials it stops."""
