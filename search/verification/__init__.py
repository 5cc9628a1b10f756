"""Verification: a candidate trained again and again with fresh seeds, and judged by images that chose nothing."""
