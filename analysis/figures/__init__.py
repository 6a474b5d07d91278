"""Drawings of tables: SVG with the CSV of its numbers."""
