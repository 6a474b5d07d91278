"""The engine: which members share a gang, and what determines their bytes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Hashable, Sequence

import numpy as np
import torch

from lttune.errors import ResourceError
from lttune.training.engines import plain
from lttune.training.engines.processor import device_of, processor
from lttune.training.engines.stacked.gang import Gang
from lttune.training.engines.stacked.rules import RULES, Rule
from lttune.training.protocol import Member, Trained

VERSION = 2
"""Raised with every change of the arithmetic."""

_log = logging.getLogger(__name__)


class StackedEngine:
    """Trains gangs of fully connected networks by batched products.

    A member's result is the same, bit for bit, whoever else is in the list, in whichever order: a
    stack always has ``gang`` slots, an empty one is computed like a full one, and batched products
    and elementwise operations treat all slots alike. Another ``gang`` may give other bits, since
    libraries choose kernels by shape. It is meant for a GPU; on a CPU it is correct, and slow for
    lists shorter than a gang.

    Where members see the same batches, the first layer of all of them is one product, [B, in] by
    [in, K * out]. That is another kernel, hence maybe other bits, so it is never chosen because of
    who happens to be in the list: with ``shared_batches`` every step of every member takes that
    product, also of a member alone, and only members of one data order (as the branches of one
    replicate) share a gang; without, none does.

    Args:
        device: "cpu" or "cuda"; the members' examples must be there.
        gang: slots of a stack.
        threads: on the CPU; another number gives other bits.
        shared_batches: whether the members of a gang see the same batches, see above.

    Raises:
        ConfigError: if there is no such device.
        ResourceError: if CUDA is asked for and absent.
    """

    def __init__(
        self, device: str = "cpu", gang: int = 64, threads: int = 1, shared_batches: bool = False
    ) -> None:
        self.device, self.gang, self.shared_batches = device_of(device), gang, shared_batches
        torch.set_num_threads(threads)
        self._rules, update = RULES, "eager"
        if self.device.type == "cuda" and (rules := _compiled(self.device)):
            self._rules, update = rules, "compiled"
        self.numerics = "/".join(
            [
                f"stacked-{VERSION}",
                f"torch-{torch.__version__.partition('+')[0]}",
                processor(self.device),
                "float32",
                f"gang={gang}",
                f"threads={threads}" if self.device.type == "cpu" else f"update={update}",
                *(["shared"] if shared_batches else []),
            ]
        )

    def groups(self, members: Sequence[Member]) -> list[list[int]]:
        """Returns groups of at most ``gang`` members, by index, that can be trained in step.

        They have the same network, optimizer, batch size and pool of examples, and with
        ``shared_batches`` the same data order. All other settings are each member's own.
        """
        alike: dict[Hashable, list[int]] = {}
        for index, member in enumerate(members):
            alike.setdefault(self._kind(member), []).append(index)
        size = self.gang
        return [of[at : at + size] for of in alike.values() for at in range(0, len(of), size)]

    def train(self, members: Sequence[Member]) -> list[Trained]:
        """Trains every member by the protocol, a group at a time.

        Raises:
            ResourceError: if a network is not fully connected, or a training one that
                ``plain.beyond`` finds something in.
        """
        for network in {id(member.network): member.network for member in members}.values():
            if not plain.fully_connected(network):
                raise ResourceError(f"the stacked engine {plain.NETWORKS}; use the torch engine")
        for member in members:
            if lack := plain.beyond(member.config):
                raise ResourceError(f"the stacked engine {lack}; use the torch engine")
        # The flag is the whole process's: another engine may have set it since.
        torch.backends.cuda.matmul.allow_tf32 = False
        trained: dict[int, Trained] = {}
        for group in self.groups(members):
            those = [members[index] for index in group]
            rule = self._rules[those[0].config.optimizer]
            gang = Gang(those, rule, self.gang, self.shared_batches, self.device)
            trained |= dict(zip(group, gang.train(), strict=True))
        return [trained[index] for index in range(len(members))]

    def _kind(self, member: Member) -> Hashable:
        config, material = member.config, member.material
        examples = material.pool
        # Replicates may have labels of their own, where those are noisy or renamed.
        pool = id(examples.x), id(examples.y), examples.shift, examples.gain
        shapes = tuple(member.network.shapes.items())
        kind = shapes, config.optimizer, config.batch_size, pool
        if not self.shared_batches:
            return kind
        return *kind, material.train.tobytes(), str(member.order.bit_generator.state)


@torch.no_grad()
def _compiled(device: torch.device) -> dict[str, Rule] | None:
    """Returns the rules with compiled updates, or None where they cannot be compiled.

    Unfused, an update moves two to three times the bytes, and bytes are what limits a stack on a
    GPU. One compilation with symbolic sizes serves all networks; more would hit the limit after
    which PyTorch goes back to other arithmetic, and ``fullgraph`` makes that an error.
    """
    rules = {
        name: dataclasses.replace(
            rule, update=torch.compile(rule.update, dynamic=True, fullgraph=True)
        )
        for name, rule in RULES.items()
    }
    try:
        for rule in rules.values():
            blocks = [torch.zeros(3, 5, device=device) for _ in range(3 + rule.moments)]
            ones = np.ones((1, 3))
            scalars = np.stack(rule.scalars(ones, ones[0], ones[0], ones[:, :1]), 1)[0]
            rule.update(*blocks, *torch.from_numpy(scalars).float().to(device).unsqueeze(-1))
    except Exception as error:  # Whatever the compiler lacks, its errors have no common class.
        _log.warning("stacked engine: updates are not compiled here, hence slower: %s", error)
        return None
    return rules
