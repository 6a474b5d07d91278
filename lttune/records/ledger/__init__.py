"""The ledger of a study: every trial that was planned or proposed, and how it stands."""

from lttune.records.ledger.followed import FollowedLedger
from lttune.records.ledger.ledger import Ledger
from lttune.records.ledger.listing import listing_in
from lttune.records.ledger.trial import (
    ENDED,
    NEEDED_OF_TRIAL,
    OVER,
    Trial,
    TrialState,
    listed_trials,
)

__all__ = [
    "ENDED",
    "NEEDED_OF_TRIAL",
    "OVER",
    "FollowedLedger",
    "Ledger",
    "Trial",
    "TrialState",
    "listed_trials",
    "listing_in",
]
