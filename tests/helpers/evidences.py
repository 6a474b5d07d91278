"""The evidence of ``lttune.testing`` under the names of these tests."""

from lttune.testing.evidences import digits_evidence as evidence
from lttune.testing.evidences import digits_examples
from lttune.testing.evidences import fresh_evidence as fresh
from lttune.testing.evidences import network_for_digits as network

DIGITS = digits_examples()

__all__ = ["DIGITS", "evidence", "fresh", "network"]
