"""What is shipped of a search: which network, and what is said of it."""
