"""The configuration of one trajectory, a file for each part of it."""
