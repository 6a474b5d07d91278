"""Cells to store, and a disk that is full."""

import errno

import torch

from lttune.store.cells import Cell

INPUTS = {"train": {"lr": 0.1}, "replicate": 0}


def cell(value=1.0):
    record = {"measures": {"test_accuracy": value}, "history": []}
    return Cell(record=record, tensors={"weights/fc1.weight": torch.arange(6.0)}, times={"t": 1.5})


def never():
    raise AssertionError("computed again")


def obtain(store, inputs, compute):
    found = store.obtain([inputs], lambda missing: [compute() for _ in missing])[0]
    return found.key, found.cell, found.reused


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")
