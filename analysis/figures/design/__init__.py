"""Figures of designs: importance, response maps, noise, surrogates, widths."""
