"""Everything about GPUs that is promised, checked and timed in one call: `python -m benchmarks.gpu`."""
