"""Code of one's own: a function of a file or a package where the name of a row of a table stands.

A name with a colon, such as ``./mine.py:score``, is that of a function of whoever runs a study. Its
source is read and identified (``read_own_code``), travels with the trials, and is run by the study
and its workers (``use_part``). Who reads a study never runs it: ``describe_part`` takes what the
study's sheet says. Networks have more to describe: see ``lttune.models.own``.
"""

from lttune.records.own.code import OwnCode, own_function, read_own_code, sha256_of_texts
from lttune.records.own.objective import (
    LARGEST_OBJECTIVE,
    OBJECTIVE,
    own_objective,
    own_objective_text,
)
from lttune.records.own.parts import (
    KNOWN_PARTS,
    OwnPart,
    describe_part,
    keep_part,
    known_part,
    number_given,
    own_identity,
    use_named,
    use_part,
)

__all__ = [
    "KNOWN_PARTS",
    "LARGEST_OBJECTIVE",
    "OBJECTIVE",
    "OwnCode",
    "OwnPart",
    "describe_part",
    "keep_part",
    "known_part",
    "number_given",
    "own_function",
    "own_identity",
    "own_objective",
    "own_objective_text",
    "read_own_code",
    "sha256_of_texts",
    "use_named",
    "use_part",
]
