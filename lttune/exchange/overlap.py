"""What masks have in common, beside what independent masks would have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lttune.exchange.tensors import masks_in, read
from lttune.exchange.tickets import find_network, place
from lttune.models import masks
from lttune.models.layers import layer_name
from lttune.models.masks import Mask


def masks_of(tickets: Sequence[str], store: str | None = None) -> list[Mask]:
    """Returns the masks under the names of the first that is of a study, else of the first.

    Args:
        tickets: files, or names of ``tickets.place``.
        store: of the networks of all studies among them, as of ``Place``.
    """
    files = {text: masks_in(read(Path(text)), text) for text in tickets if Path(text).is_file()}
    stored = {t: find_network(place(t, store)).mask for t in tickets if t not in files}
    first = files.get(tickets[0])
    ordered = bool(stored) or (first is not None and first.ordered)
    reference = next(iter(stored.values())) if stored else next(iter(files.values())).masks
    shapes = {name: tuple(keep.shape) for name, keep in reference.items()}
    return [stored[t] if t in stored else files[t].fitted(shapes, ordered) for t in tickets]


def overlap_lines(one: Mask, other: Mask) -> list[str]:
    """Returns the lines that compare two masks of one network, layer by layer and in all.

    ``common`` is the share of a layer's weights that survive in both, ``jaccard`` that share of
    those that survive in either; ``chance`` is the value for independent masks of these densities:
    the product of the densities, and that over their sum less it. In all, the counts of the layers
    add up, so that independence within each layer is what chance means.
    """
    layers = {layer_name(name): keep.numel() for name, keep in one.items()}
    densities = [masks.layer_densities(mask) for mask in (one, other)]
    common = masks.layer_densities(masks.intersection(one, other))
    jaccards = masks.jaccard(one, other)
    width = max(len(name) for name in (*layers, "layer", "all"))
    head = f"{'layer':<{width}} {'weights':>9} {'A':>7} {'B':>7} {'common':>7} {'chance':>7}"
    lines = [f"{head} {'jaccard':>8} {'chance':>7}"]

    def line(name: str, size: int, a: float, b: float, both: float, chance: float, j: float) -> str:
        by_chance = chance / (a + b - chance) if a + b else 1.0
        counts = f"{name:<{width}} {size:>9} {a:>7.4f} {b:>7.4f} {both:>7.4f} {chance:>7.4f}"
        return f"{counts} {j:>8.4f} {by_chance:>7.4f}"

    total = sum(layers.values())
    expected = 0.0
    for name, size in layers.items():
        a, b = (density[name] for density in densities)
        expected += size * a * b
        lines.append(line(name, size, a, b, common[name], a * b, jaccards[name]))
    a, b = masks.density(one), masks.density(other)
    both, either = (masks.surviving(join(one, other)) for join in (masks.intersection, masks.union))
    overall = both / either if either else 1.0
    return [*lines, line("all", total, a, b, both / total, expected / total, overall)]
