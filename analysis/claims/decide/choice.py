"""Which replicates promise most decisions per core second."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.claims.decide.open import ClaimsStanding, OpenClaim
from analysis.claims.decide.points import PointName
from analysis.statistics.sequential.looks import FIRST_LOOK

PIECE_S = 120.0
"""Seconds of a piece, about, where fewer replicates would do no harm: claims are judged after each,
but a start and a report take half a minute."""


@dataclass(frozen=True, kw_only=True)
class NextPiece:
    """Replicates that are trained at once, before the claims are judged again."""

    targets: Mapping[PointName, int]
    """Point -> how many replicates it is to have."""
    added: Mapping[PointName, int]
    """Point -> how many replicates it lacks of that; of those that lack any."""
    seconds: float
    """Core seconds that this takes."""
    aim: Mapping[PointName, int]
    """How many it would have at the end of what was chosen, of which this is the first piece."""
    aim_seconds: float
    decisions: float
    """Claims that are decided by then, on average."""


def next_piece(found: ClaimsStanding, cores: int, left_s: float = math.inf) -> NextPiece | None:
    """Returns the first piece of the replicates that promise most decisions per core second.

    Each open claim at each number of further replicates is one choice; claims that read the same
    points count in it. None if no choice is trained in ``left_s`` seconds on so many cores, or
    none promises anything.
    """
    best: NextPiece | None = None
    for claim, more in _choices(found):
        piece = _piece(found, claim, more, cores)
        if not piece.added or piece.decisions <= 0 or wall_s(found, piece, cores) > left_s:
            continue
        if best is None or _rate(piece) > _rate(best):
            best = piece
    return best


def wall_s(found: ClaimsStanding, piece: NextPiece, cores: int) -> float:
    """Returns the seconds that a piece takes on so many cores, one for each replicate."""
    longest = max((found.points.seconds.get(point, 0.0) for point in piece.added), default=0.0)
    return max(longest, piece.seconds / cores)


def cost(found: ClaimsStanding, targets: Mapping[PointName, int]) -> float:
    """Returns the core seconds of what the points lack of their targets."""
    counts, seconds = found.points.counts, found.points.seconds
    return sum(
        max(target - counts.get(point, 0), 0) * seconds.get(point, 0.0)
        for point, target in targets.items()
    )


def _choices(found: ClaimsStanding) -> Iterator[tuple[OpenClaim, int]]:
    for claim in found.open:
        for more in claim.prospects:
            yield claim, more


def _piece(found: ClaimsStanding, claim: OpenClaim, more: int, cores: int) -> NextPiece:
    aim = dict.fromkeys(sorted(claim.points), claim.n + more)
    whole = cost(found, aim)
    one = cost(found, dict.fromkeys(claim.points, claim.n + 1)) or 1.0
    # Before the first look nothing is decided, so there is no reason to stop.
    first = max(FIRST_LOOK - claim.n, math.floor(PIECE_S * cores / one), 1)
    targets = dict.fromkeys(sorted(claim.points), claim.n + min(more, first))
    counts = found.points.counts
    lacks = {point: n - counts.get(point, 0) for point, n in targets.items()}
    return NextPiece(
        targets=targets,
        added={point: lack for point, lack in lacks.items() if lack > 0},
        seconds=cost(found, targets),
        aim=aim,
        aim_seconds=whole,
        decisions=sum(_chance(found, other, aim) for other in found.open),
    )


def _chance(found: ClaimsStanding, claim: OpenClaim, targets: Mapping[PointName, int]) -> float:
    """Returns the probability that a claim is decided by what the points then have."""
    if not claim.points & targets.keys():
        return 0.0
    counts = found.points.counts
    there = min(max(targets.get(point, 0), counts.get(point, 0)) for point in claim.points)
    return claim.chance(min(there, claim.most) - claim.n)


def _rate(piece: NextPiece) -> float:
    return piece.decisions / max(piece.aim_seconds, 1.0)
