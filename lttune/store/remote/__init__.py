"""Cells behind a URL of an object store, and where a store is: in a folder, or there."""
