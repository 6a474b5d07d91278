"""Networks of one's own in a notebook: of a file, of a package, or a function of a cell."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from lttune.config import LotteryConfig
from lttune.config.fields import require
from lttune.config.lottery.model import is_own_network
from lttune.models.architectures import Make
from lttune.models.own import made_known
from lttune.models.own.code import NETWORK, NetworkFunction, read_code
from lttune.models.own.row import LoadedNetwork
from lttune.records.own import OwnCode, OwnPart, known_part
from lttune.trajectory.checks.own_names import own_names

_AnyKey = TypeVar("_AnyKey")
_AnyRow = TypeVar("_AnyRow")


def with_networks(
    config: LotteryConfig, function: NetworkFunction | None
) -> tuple[LotteryConfig, dict[str, Make]]:
    """Returns a configuration with the network's name, and the row of one of one's own.

    Args:
        config: of the trajectory.
        function: of the notebook; None is the network that ``model.name`` says.

    Raises:
        ConfigError: if it is no function, or cannot be imported.
    """
    if function is not None:
        rule = "a function of the shape of a picture and the number of classes"
        require(callable(function), "network", rule, function)
        code = _code_of(function)
        config = config.override({"model.name": code.name})
        return config, {code.name: LoadedNetwork(code, function)}
    name = config.model.name
    return config, {name: LoadedNetwork(read_code(name))} if is_own_network(name) else {}


def _code_of(function: NetworkFunction) -> OwnCode:
    """Returns what stands for a function of a notebook: a name, and the digest of its source.

    What it calls may be of other cells, so that the digest is good within one trajectory alone.
    """
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        source = uuid.uuid4().hex
    module = getattr(function, "__module__", None) or ""
    known = module if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", module) else "notebook"
    name = re.sub(r"\W", "_", getattr(function, "__name__", type(function).__name__))
    digest = hashlib.sha256(source.encode()).hexdigest()
    return OwnCode(field=NETWORK, name=f"{known}:{name}", digest=digest)


def with_parts(config: LotteryConfig, controls: Iterable[str]) -> dict[tuple[str, str], OwnPart]:
    """Runs the code of the other parts of one's own that are named: all but the network.

    Args:
        config: of the trajectory.
        controls: names of all that are trained beside it.

    Returns:
        Field and name of each -> what it is now, whatever stands in its file later.

    Raises:
        ConfigError: with a line for each that cannot be imported.
    """
    named = own_names(config, controls)
    codes = made_known((field, name) for field, name in named if field != NETWORK)
    return {(code.field, code.name): known_part(code.field, code.name) for code in codes}


@contextlib.contextmanager
def rows_known(table: dict[_AnyKey, _AnyRow], rows: Mapping[_AnyKey, _AnyRow]) -> Iterator[None]:
    """Has a table hold rows inside, and be as it was before afterwards.

    Two trajectories may have two parts of one name: a cell or a file that was changed and run
    again.
    """
    before = {name: table[name] for name in rows if name in table}
    table.update(rows)
    try:
        yield
    finally:
        for name in rows:
            table.pop(name, None)
        table.update(before)
