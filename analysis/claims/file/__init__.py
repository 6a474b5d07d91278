"""A claim as data: the file of claims, read and checked."""
