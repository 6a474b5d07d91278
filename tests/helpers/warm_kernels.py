"""Loads what numba compiled when it is imported: before processes are forked, and not in each."""

from lttune.training.engines import warm

warm("sparse")
