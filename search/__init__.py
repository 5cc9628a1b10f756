"""Part of mnist-search."""
