"""Ratios and experiments: each measures both arms in one run and exits 1 when a goal is missed."""
