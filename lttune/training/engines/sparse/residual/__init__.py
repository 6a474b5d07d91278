"""Residual networks: convolutions with batch norm in basic blocks, then average and linear layer.

Nothing here is imported, and no kernel of it compiled or loaded, before a network is residual.
"""
