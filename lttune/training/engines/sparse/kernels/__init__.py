"""The passes of a training step, as kernels that numba compiles."""
