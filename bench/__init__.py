"""Benchmarks: each hot path beside its physical limit, in the same run, as ratios. Never a timed assertion."""
