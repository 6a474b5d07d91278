"""What a file says of the network that it holds: the metadata of ``docs/exchange.md``."""

from __future__ import annotations

import json
from typing import Any

from lttune import __version__
from lttune.data.transforms import as_asked
from lttune.exchange.tickets import TICKET_MEASURES, Found
from lttune.models import masks


def described(found: Found) -> dict[str, str]:
    """Returns what a file of a network says of it, as texts: JSON but for the version."""
    dataset, shape = as_asked(found.dataset, found.config.data), found.network.shapes
    about: dict[str, Any] = {
        "ticket": {
            "study": found.row["study"],
            "trial": found.place.trial,
            "replicate": found.place.replicate,
            "branch": found.place.branch,
            "level": found.place.level,
            "cell": found.row["cell"],
            "seed": found.row["seed"],
        },
        "config": found.config.nested(),
        "measures": {name: found.row[name] for name in TICKET_MEASURES},
        "density": masks.density(found.mask),
        "layer_densities": masks.layer_densities(found.mask),
        "shapes": {name: list(size) for name, size in shape.items()},
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest(),
            "classes": dataset.classes,
            "shape": list(dataset.shape),
            "input": "(pixel / scale - mean) / std",
            "scale": dataset.scale,
            "mean": dataset.mean,
            "std": dataset.std,
        },
    }
    return {name: json.dumps(value) for name, value in about.items()} | {"lttune": __version__}
