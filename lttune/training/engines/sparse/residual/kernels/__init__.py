"""Kernels of batch norm, of residual connections and of what lies between them."""
