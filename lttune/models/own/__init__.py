"""Networks of one's own: a function of a file or a package, or a network of torchvision.

A name with a colon, such as ``./net.py:network``, is that of a function of the shape of a picture,
(channels, height, width), and the number of classes, which returns a module. ``use`` runs its code
and makes it a row of the table of networks; a study does so, and its workers. Who reads a study
never does: ``use_described`` takes what the study's sheet says of the network. Both take the other
parts of one's own along (``lttune.records.own``).
"""

from lttune.models.own.code import NETWORK, read_code
from lttune.models.own.row import (
    OwnNetwork,
    descriptions,
    lines_told,
    made_known,
    use,
    use_as,
    use_described,
)

__all__ = [
    "NETWORK",
    "OwnNetwork",
    "descriptions",
    "lines_told",
    "made_known",
    "read_code",
    "use",
    "use_as",
    "use_described",
]
