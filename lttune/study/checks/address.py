"""Whether a Ray cluster may be where it is said to be."""

from __future__ import annotations

import os
import socket

from lttune.errors import ResourceError

REACHED_S, ANSWERED_S = 3.0, 3.0
"""Seconds within which the address of a cluster must take a connection, and then answer."""

_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""What a client of HTTP/2, over which Ray's gRPC goes, begins with: its preface, no settings."""
_SETTINGS = 4
"""Kind of the frame that a server of HTTP/2 begins with, told by its fourth byte."""


def check_address(address: str | None) -> None:
    """Checks that a Ray cluster may be where it is said to be; "auto" is left to Ray.

    Raises:
        ResourceError: if nothing takes a connection within ``REACHED_S``, or what does answers
            nothing within ``ANSWERED_S`` or not as Ray would.
    """
    if address in (None, "local", "auto"):
        return
    host, _, port = str(address).rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=REACHED_S) as peer:
            # What encrypts its connections begins otherwise.
            encrypted = os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true")
            if encrypted or _answers_as_ray(peer):
                return
        reason, cause = "what listens there is no Ray cluster", None
    except TimeoutError as error:
        reason, cause = "it gives no answer", error
    except (OSError, OverflowError) as error:
        reason, cause = getattr(error, "strerror", None) or error, error
    raise ResourceError(f"no Ray cluster answers at address {address!r}: {reason}") from cause


def _answers_as_ray(peer: socket.socket) -> bool:
    peer.settimeout(ANSWERED_S)
    peer.sendall(_HELLO)
    return peer.recv(_SETTINGS)[3:] == bytes([_SETTINGS])
