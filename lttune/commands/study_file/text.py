"""The text of a study file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import jinja2

from lttune.commands.study_file.fitting import FittedSettings
from lttune.commands.study_file.scales import COMPARED_WITH, FittedScale
from lttune.config.design import Factor
from lttune.errors import legible, listed

TEMPLATE = "study.py.jinja"


def study_text(name: str, settings: FittedSettings, scales: Mapping[str, FittedScale]) -> str:
    """Returns the Python source of a study.

    Args:
        name: of the file without its ending; studies are called by it and their scale.
        settings: what is trained and varied.
        scales: name -> how much of it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"literal": _literal, "quotable": _quotable}
    lottery = settings.lottery
    question = (
        f"Which hyperparameters decide whether {legible(lottery.model.name)} has winning tickets "
        f"on {legible(lottery.data.name)}?"
    )
    return environment.get_template(TEMPLATE).render(
        name=name,
        question=question,
        lottery=lottery,
        factors=[_factor_text(factor) for factor in settings.factors],
        distributions=sorted({type(f.distribution).__name__ for f in settings.factors}),
        fractions=[
            (key, value, _told(key, settings)) for key, value in lottery.prune.fractions.items()
        ],
        controls=COMPARED_WITH,
        scales=scales,
    )


def _literal(text: str) -> str:
    """Returns a text as Python reads it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def _quotable(text: str) -> str:
    """Returns a text as it stands in a docstring."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _factor_text(factor: Factor) -> tuple[str, str]:
    """Returns the path of a factor and the call that makes its distribution."""
    fields = ", ".join(f"{name}={value!r}" for name, value in vars(factor.distribution).items())
    return factor.path, f"{type(factor.distribution).__name__}({fields})"


def _told(key: str, settings: FittedSettings) -> str:
    """Returns what a comment says of a kind, or of a layer, and its share of the weights."""
    weights, kinds = settings.weights, settings.network.kinds
    layers = [layer for layer, kind in kinds.items() if key in (layer, kind)]
    share = sum(weights[layer] for layer in layers) / sum(weights.values())
    names = f"{layers[0]} to {layers[-1]}" if len(layers) > 3 else listed(layers)
    return f"{names}: {share:.1%} of the weights"
