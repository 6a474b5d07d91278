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
    NODE_BACK_ENDS,
    NODE_BACK_GROUPS,
    NODE_BACK_OFFSETS,
    NODE_BACK_PLACES,
    NODE_BEHIND,
    NODE_CHANNELS,
    NODE_COLUMNS,
    NODE_COUNT,
    NODE_DELTA,
    NODE_DENSE,
    NODE_ENDS,
    NODE_FILTERS,
    NODE_FLAT,
    NODE_GROUPS,
    NODE_HEIGHT,
    NODE_OFFSETS,
    NODE_RAW,
    NODE_ROWS,
    NODE_SHIFT,
    NODE_SHOWN,
    NODE_SOURCES,
    NODE_TARGETS,
    NODE_WEIGHTS,
    NODE_WIDTH,
)


@kernel()
def clear_node(res, album, number, at):
    """Writes zeros where whole bands reach over a node's map."""
    layer = res.layers[number]
    clear_margin(
        album.maps,
        at,
        layer[NODE_CHANNELS],
        layer[NODE_ROWS],
        layer[NODE_COLUMNS],
        layer[NODE_HEIGHT],
        layer[NODE_WIDTH],
    )


@kernel()
def spectra_of(album, layer):
    """Returns room for Winograd's algorithm, the filters from a node's own on."""
    room = album.spectra
    return Spectra(
        room.full, room.filters[layer[NODE_FILTERS] :], room.spectra, room.products, room.small
    )


@kernel()
def prepare_node(res, album, number, values, forward):
    """Transforms a node's weights, if all of them are multiplied."""
    layer = res.layers[number]
    if layer[NODE_DENSE]:
        winograd.transform(
            values,
            layer[NODE_WEIGHTS],
            res.pattern,
            layer[NODE_FLAT],
            layer[NODE_COUNT],
            layer[NODE_SOURCES],
            layer[NODE_CHANNELS],
            forward,
            spectra_of(album, layer),
        )


@kernel()
def apply_node(res, album, number, into, values, bias, bias_at, to, ending):
    """Writes what a node's convolution with these weights gives of the input at ``into``."""
    layer = res.layers[number]
    if layer[NODE_DENSE]:
        winograd.convolve(
            album.maps,
            into,
            layer[NODE_ROWS],
            layer[NODE_COLUMNS],
            layer[NODE_SOURCES],
            layer[NODE_CHANNELS],
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
            layer[NODE_ROWS],
            layer[NODE_COLUMNS],
            layer[NODE_GROUPS],
            layer[NODE_CHANNELS],
            res.pattern[layer[NODE_ENDS] :],
            res.pattern[layer[NODE_OFFSETS] :],
            values,
            layer[NODE_WEIGHTS],
            bias,
            bias_at,
            album.maps,
            to,
            album.sums,
            ending,
        )


@kernel()
def convolve_node(res, album, number, into, base):
    """Writes what a node's convolution gives of the input at ``into``.

    The weights are as ``prepare_node`` made them.
    """
    to = base + res.layers[number][NODE_RAW]
    apply_node(res, album, number, into, res.values, album.none, 0, to, PLAIN)


@kernel()
def show_node(res, album, number, into, ending):
    """Writes a node's result in an evaluation, of the input at ``into``."""
    layer = res.layers[number]
    bias_at, to = layer[NODE_SHIFT], layer[NODE_SHOWN]
    apply_node(res, album, number, into, album.folded, album.folded, bias_at, to, ending)
    clear_node(res, album, number, to)


@kernel()
def prepare_node_back(res, album, number):
    """Copies a node's weights to the order in which ``convolve_node_back`` reads them."""
    layer = res.layers[number]
    prepare_node(res, album, number, res.values, False)
    turn_weights(
        res.pattern,
        layer[NODE_BACK_PLACES],
        layer[NODE_COUNT],
        res.values,
        layer[NODE_WEIGHTS],
        album.turned[layer[NODE_BEHIND] :],
    )


@kernel()
def add_weight_gradients(res, album, number, into):
    """Adds what a block gives to the gradients of a node's weights, lane by lane."""
    layer = res.layers[number]
    add_gradients(
        album.maps,
        into,
        layer[NODE_ROWS],
        layer[NODE_COLUMNS],
        layer[NODE_GROUPS],
        layer[NODE_CHANNELS],
        res.pattern[layer[NODE_ENDS] :],
        res.pattern[layer[NODE_OFFSETS] :],
        album.maps,
        layer[NODE_DELTA],
        album.lanes[layer[NODE_BEHIND] * LANES :],
        album.unused,
    )


@kernel()
def collect_weight_gradients(res, album, number):
    """Writes the gradients of a node's weights from the sums of all blocks."""
    layer = res.layers[number]
    collect_gradients(
        album.lanes[layer[NODE_BEHIND] * LANES :],
        layer[NODE_COUNT],
        res.gradient,
        layer[NODE_WEIGHTS],
    )


@kernel()
def convolve_node_back(res, album, number, to):
    """Writes the gradient of a node's input at ``to``, as ``prepare_node_back`` made it."""
    layer = res.layers[number]
    if layer[NODE_DENSE]:
        winograd.convolve(
            album.maps,
            layer[NODE_DELTA],
            layer[NODE_ROWS],
            layer[NODE_COLUMNS],
            layer[NODE_CHANNELS],
            layer[NODE_SOURCES],
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
            layer[NODE_DELTA],
            layer[NODE_ROWS],
            layer[NODE_COLUMNS],
            layer[NODE_BACK_GROUPS],
            layer[NODE_TARGETS],
            res.pattern[layer[NODE_BACK_ENDS] :],
            res.pattern[layer[NODE_BACK_OFFSETS] :],
            album.turned,
            layer[NODE_BEHIND],
            album.none,
            0,
            album.maps,
            to,
            album.sums,
            PLAIN,
        )
