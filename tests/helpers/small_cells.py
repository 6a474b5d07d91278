"""Cells to store, processes that need one, and a disk that is full."""

import errno
import os
import time

import torch

from lttune.store.cells import Cell
from lttune.store.store import Store

INPUTS = {"train": {"lr": 0.1}, "replicate": 0}


def cell(value=1.0):
    record = {"measures": {"test_accuracy": value}, "history": []}
    return Cell(record=record, tensors={"weights/fc1.weight": torch.arange(6.0)}, times={"t": 1.5})


def never():
    raise AssertionError("computed again")


def obtain(store, inputs, compute):
    found = store.obtain([inputs], lambda missing: [compute() for _ in missing])[0]
    return found.key, found.cell, found.reused


def contend(folder, log):
    """Needs a cell; says in a file if it has computed it."""

    def compute():
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.2)
        return cell()

    obtain(Store(folder), INPUTS, compute)


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")
