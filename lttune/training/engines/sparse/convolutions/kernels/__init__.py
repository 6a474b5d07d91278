"""Kernels of convolutions and of what lies between them."""
