"""What follows a convolution, fused: compiled C kernels for training on a CPU, and plain torch where there are none."""
