"""Engines: how a masked network is trained. ``torch`` is the reference."""
