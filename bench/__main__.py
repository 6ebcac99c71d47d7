"""`make bench`: every benchmark, as a table and as bench/results.json. Names as arguments choose some of them.

What the options below do not name goes to the kill campaign: `python -m bench campaign --kills 20 --seed 7`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial

from bench import decode, hostile, intake, mapping
from bench.campaign.main import main as campaign
from bench.measures import insist_on_quiet
from bench.table import Figure, keep, show

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "decode": decode.main,
    "mapping": mapping.main,
    "intake": intake.main,
    "hostile": hostile.main,
    "campaign": partial(campaign, []),
}


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all without")
    parser.add_argument("--quick", action="store_true", help="intake in a minute, to steer by")
    parser.add_argument("--force", action="store_true", help="measure although the machine is not quiet")
    wanted, rest = parser.parse_known_args()
    if unknown := set(wanted.names) - BENCHES.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    BENCHES["campaign"] = partial(campaign, rest)
    insist_on_quiet(force=wanted.force or wanted.quick)
    figures: list[Figure] = []
    for name, bench in BENCHES.items():
        if not wanted.names or name in wanted.names:
            found = bench()
            show(found)
            figures += found
    keep(figures)


if __name__ == "__main__":
    main()
