"""Convolutions in front of the fully connected layers: 3 x 3, ReLU, maximum pooling.

Nothing here is imported, and no kernel of it compiled or loaded, before a network has convolutions.
"""
