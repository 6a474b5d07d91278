"""lttune: which hyperparameters decide whether a network has winning tickets?"""

__version__ = "0.1.0"
