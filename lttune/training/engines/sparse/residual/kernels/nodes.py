"""The convolution of a node: forward, its weights' gradients, and back to its input."""

from __future__ import annotations

from lttune.training.engines.sparse.convolutions.kernels import winograd
from lttune.training.engines.sparse.convolutions.kernels.backward_pass import turn_weights
from lttune.training.engines.sparse.convolutions.kernels.correlation import correlate
from lttune.training.engines.sparse.convolutions.kernels.gradients import (
    add_gradients,
    collect_gradients,
)
from lttune.training.engines.sparse.convolutions.kernels.pictures import clear_margin
from lttune.training.engines.sparse.convolutions.memory import Spectra
from lttune.training.engines.sparse.instructions.bands import LANES
from lttune.training.engines.sparse.instructions.cache import kernel
from lttune.training.engines.sparse.instructions.endings import PLAIN
from lttune.training.engines.sparse.residual.memory import (
    BACK_ENDS,
    BACK_GROUPS,
    BACK_OFFSETS,
    BACK_PLACES,
    BEHIND,
    CHANNELS,
    COLUMNS,
    COUNT,
    DELTA,
    DENSE,
    ENDS,
    FILTERS,
    FLAT,
    GROUPS,
    HEIGHT,
    OFFSETS,
    RAW,
    ROWS,
    SHIFT,
    SHOWN,
    SOURCES,
    TARGETS,
    WEIGHTS,
    WIDTH,
)


@kernel()
def clear(res, album, number, at):
    """Writes zeros where whole bands reach over a node's map."""
    layer = res.layers[number]
    clear_margin(
        album.maps,
        at,
        layer[CHANNELS],
        layer[ROWS],
        layer[COLUMNS],
        layer[HEIGHT],
        layer[WIDTH],
    )


@kernel()
def spectra_of(album, layer):
    """Returns room for Winograd's algorithm, the filters from a node's own on."""
    room = album.spectra
    return Spectra(
        room.full, room.filters[layer[FILTERS] :], room.spectra, room.products, room.small
    )


@kernel()
def prepare(res, album, number, values, forward):
    """Transforms a node's weights, if all of them are multiplied."""
    layer = res.layers[number]
    if layer[DENSE]:
        winograd.transform(
            values,
            layer[WEIGHTS],
            res.pattern,
            layer[FLAT],
            layer[COUNT],
            layer[SOURCES],
            layer[CHANNELS],
            forward,
            spectra_of(album, layer),
        )


@kernel()
def apply(res, album, number, into, values, bias, bias_at, to, ending):
    """Writes what a node's convolution with these weights gives of the input at ``into``."""
    layer = res.layers[number]
    if layer[DENSE]:
        winograd.convolve(
            album.maps,
            into,
            layer[ROWS],
            layer[COLUMNS],
            layer[SOURCES],
            layer[CHANNELS],
            bias,
            bias_at,
            album.maps,
            to,
            spectra_of(album, layer),
            ending,
        )
    else:
        correlate(
            album.maps,
            into,
            layer[ROWS],
            layer[COLUMNS],
            layer[GROUPS],
            layer[CHANNELS],
            res.pattern[layer[ENDS] :],
            res.pattern[layer[OFFSETS] :],
            values,
            layer[WEIGHTS],
            bias,
            bias_at,
            album.maps,
            to,
            album.sums,
            ending,
        )


@kernel()
def convolve(res, album, number, into, base):
    """Writes what a node's convolution gives of the input at ``into``, as ``prepare`` made it."""
    to = base + res.layers[number][RAW]
    apply(res, album, number, into, res.values, album.none, 0, to, PLAIN)


@kernel()
def show(res, album, number, into, ending):
    """Writes a node's result in an evaluation, of the input at ``into``."""
    layer = res.layers[number]
    bias_at, to = layer[SHIFT], layer[SHOWN]
    apply(res, album, number, into, album.folded, album.folded, bias_at, to, ending)
    clear(res, album, number, to)


@kernel()
def prepare_back(res, album, number):
    """Copies a node's weights to the order in which ``convolve_back`` reads them."""
    layer = res.layers[number]
    prepare(res, album, number, res.values, False)
    turn_weights(
        res.pattern,
        layer[BACK_PLACES],
        layer[COUNT],
        res.values,
        layer[WEIGHTS],
        album.turned[layer[BEHIND] :],
    )


@kernel()
def add_weight_gradients(res, album, number, into):
    """Adds what a block gives to the gradients of a node's weights, lane by lane."""
    layer = res.layers[number]
    add_gradients(
        album.maps,
        into,
        layer[ROWS],
        layer[COLUMNS],
        layer[GROUPS],
        layer[CHANNELS],
        res.pattern[layer[ENDS] :],
        res.pattern[layer[OFFSETS] :],
        album.maps,
        layer[DELTA],
        album.lanes[layer[BEHIND] * LANES :],
        album.unused,
    )


@kernel()
def collect(res, album, number):
    """Writes the gradients of a node's weights from the sums of all blocks."""
    layer = res.layers[number]
    collect_gradients(
        album.lanes[layer[BEHIND] * LANES :], layer[COUNT], res.gradient, layer[WEIGHTS]
    )


@kernel()
def convolve_back(res, album, number, to):
    """Writes the gradient of a node's input at ``to``, as ``prepare_back`` made it."""
    layer = res.layers[number]
    if layer[DENSE]:
        winograd.convolve(
            album.maps,
            layer[DELTA],
            layer[ROWS],
            layer[COLUMNS],
            layer[CHANNELS],
            layer[SOURCES],
            album.none,
            0,
            album.maps,
            to,
            spectra_of(album, layer),
            PLAIN,
        )
    else:
        correlate(
            album.maps,
            layer[DELTA],
            layer[ROWS],
            layer[COLUMNS],
            layer[BACK_GROUPS],
            layer[TARGETS],
            res.pattern[layer[BACK_ENDS] :],
            res.pattern[layer[BACK_OFFSETS] :],
            album.turned,
            layer[BEHIND],
            album.none,
            0,
            album.maps,
            to,
            album.sums,
            PLAIN,
        )
