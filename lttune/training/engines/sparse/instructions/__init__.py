"""What the kernels are made of: vector instructions through LLVM, and numba's cache."""
