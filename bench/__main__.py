"""`make bench`: every benchmark, as a table and as bench/results.json. Names as arguments choose some of them.

`python -m bench campaign --kills 50 --items 100000 --seed 7`: options are the campaign's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from bench import decode, intake, mapping
from bench.campaign.main import main as campaign
from bench.table import Figure, keep, show

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "decode": decode.main,
    "mapping": mapping.main,
    "intake": intake.main,
    "campaign": campaign,
}


def main(arguments: list[str]) -> None:
    """Run the named benchmarks, or all; from the first option on, the arguments are the campaign's."""
    end = next((place for place, argument in enumerate(arguments) if argument.startswith("-")), len(arguments))
    names, BENCHES["campaign"] = arguments[:end], partial(campaign, arguments[end:])
    unknown = set(names) - BENCHES.keys()
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    figures: list[Figure] = []
    for name, bench in BENCHES.items():
        if not names or name in names:
            found = bench()
            show(found)
            figures += found
    keep(figures)


if __name__ == "__main__":
    main(sys.argv[1:])
