"""Surrogates of a response: Gaussian processes and forests."""
