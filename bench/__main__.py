"""`make bench`: every benchmark, as a table and as bench/results.json. Names as arguments choose some of them.

What the options below do not name goes to the kill campaign: `python -m bench campaign --kills 20 --seed 7`.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable

from bench import alerting, decode, hostile, intake, mapping, noisy, volume
from bench.campaign.main import main as campaign
from bench.goals import show_goals
from bench.measures import insist_on_quiet
from bench.outcome import Options, Outcome
from bench.table import keep, show

BENCHES: dict[str, Callable[[Options], Outcome]] = {
    "decode": lambda _: Outcome(decode.main()),
    "mapping": lambda _: Outcome(mapping.main()),
    "intake": intake.main,
    "alerting": alerting.main,
    "volume": volume.main,
    "hostile": hostile.main,
    "noisy": lambda _: Outcome(noisy.main()),
    "campaign": lambda options: Outcome(campaign(options.rest)),
}
_PATIENCE_S, _QUICK_PATIENCE_S = 20.0, 0.5


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; all without")
    parser.add_argument("--quick", action="store_true", help="less of each, to steer by; not to be published")
    parser.add_argument("--force", action="store_true", help="measure although the machine is not quiet")
    parser.add_argument("--stored", type=int, default=10_000_000, help="spans stored before volume measures")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each system")
    parser.add_argument("--patience", type=float, help="seconds to wait for a quiet machine before each turn")
    wanted, rest = parser.parse_known_args()
    if unknown := set(wanted.names) - BENCHES.keys():
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    load = insist_on_quiet(force=wanted.force or wanted.quick)
    patience_s = wanted.patience or (_QUICK_PATIENCE_S if wanted.quick else _PATIENCE_S)
    options = Options(wanted.quick, wanted.stored, wanted.rounds, patience_s, tuple(rest))
    found = Outcome(about={"quick": wanted.quick, "forced": wanted.force, "load_before": load})
    for name, bench in BENCHES.items():
        if not wanted.names or name in wanted.names:
            print(f"\n{name}", flush=True)
            outcome = bench(options)
            show(outcome.figures)
            found.add(outcome)
            keep(found.figures, reached=found.reached, about=found.about)
    show_goals(found.reached)


if __name__ == "__main__":
    main()
