"""Chance that repeats: the same seed and the same names give the same draws, in whatever order they are asked for."""

from __future__ import annotations

import math
from hashlib import blake2b
from random import Random
from uuid import UUID


def stream(seed: int, *names: object) -> Random:
    """A source of chance of its own for these names."""
    text = "/".join(str(name) for name in (seed, *names))
    digest = blake2b(text.encode(), digest_size=16).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311 - a simulation has to repeat; nothing here is a secret.


def lognormal(rng: Random, median: float, sigma: float = 0.35) -> float:
    """A duration: half of all draws lie below the median, and a few are much longer."""
    return median * math.exp(rng.gauss(0.0, sigma))


def poisson(rng: Random, mean: float) -> int:
    """How often something happens that happens `mean` times on average."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def uuid(rng: Random) -> str:
    """A version 4 UUID as text."""
    return str(UUID(int=rng.getrandbits(128), version=4))
