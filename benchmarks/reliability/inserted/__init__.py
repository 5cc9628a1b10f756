"""A folder for the PYTHONPATH of a search under test."""
