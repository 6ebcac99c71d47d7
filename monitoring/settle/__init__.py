"""Settling: what several requests told of a run, computed once more from the intake log; and rebuilding a tenant."""
