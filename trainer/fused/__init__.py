"""Small convolutions and what follows them: compiled C kernels for a CPU, and plain torch where there are none."""
