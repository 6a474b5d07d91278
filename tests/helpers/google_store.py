"""A server that speaks as Google's object store does, in a process of its own on loopback."""

from __future__ import annotations

from functools import partial

import object_store

BUCKET = "bucket"
SERVE = f"""
import logging, threading
from gcp_storage_emulator.server import create_server
logging.disable()
server = create_server("127.0.0.1", 0, in_memory=True, default_bucket={BUCKET!r})
server.start()
print(server._api._httpd.server_port, flush=True)
threading.Event().wait()
"""

serving = partial(object_store.serving, SERVE)
"""Yields the port of a server with a bucket, which ends afterwards."""
