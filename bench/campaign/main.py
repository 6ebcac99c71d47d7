"""`python -m bench campaign [--kills N] [--items N] [--seed S]`: the controls, the campaign, and its report.

`--only kills` or `--only controls` runs one part by itself; `--minutes` ends the kills, whatever they have come to.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from bench.campaign import report
from bench.campaign.campaign import Outcome, campaign, kills
from bench.campaign.controls import CONTROLS
from bench.campaign.nemesis import KINDS, Toll
from bench.campaign.scenarios import clock_steps, full_disk
from bench.campaign.teeth import is_caught
from bench.table import Figure, show

#: With the time that recovery takes, 300 kills last some 25 minutes.
_CALM_S = 2.5
_TELL_EVERY_S = 15.0


def main(arguments: Sequence[str] = ()) -> list[Figure]:
    """Run controls, scenarios and campaign; an error where a promise was broken or a control went unnoticed."""
    asked = _asked(arguments)
    if asked.only == "controls":
        return _only_controls(asked.seed)
    caught = {} if asked.only else _controls(asked.seed)
    ran = {} if asked.only else _scenarios(asked.seed)
    each = -(-asked.kills // len(KINDS))
    wanted, most_s = dict.fromkeys(KINDS, each), 60 * asked.minutes
    faults = kills(wanted, _progress(), items=asked.items, calm_s=asked.calm, most_s=most_s)
    outcome = campaign(faults, seed=asked.seed)
    report.explain(outcome)
    figures = report.figures(outcome, caught, ran)
    verdicts = [outcome.verdict, *(other.verdict for other in ran.values() if not isinstance(other, str))]
    if not all(verdict.is_clean for verdict in verdicts) or not all(caught.values()):
        show(figures)
        raise SystemExit("The campaign failed: a promise was broken, or a control was not caught.")
    return figures


def _only_controls(seed: int) -> list[Figure]:
    caught = _controls(seed)
    if not all(caught.values()):
        raise SystemExit("A control was not caught.")
    return report.of_controls(caught)


def _controls(seed: int) -> dict[str, bool]:
    caught = {}
    for control in CONTROLS:
        caught[control], outcome = is_caught(control, seed=seed)
        found = f"lost {outcome.verdict.lost}, doubled {outcome.verdict.doubled}"
        print(f"control: {control}: {'caught' if caught[control] else 'MISSED'} ({found})", flush=True)
    return caught


def _scenarios(seed: int) -> dict[str, Outcome | str]:
    ran = {"full disk": full_disk(seed=seed), "clock steps": clock_steps(seed=seed)}
    for name, outcome in ran.items():
        if isinstance(outcome, str):
            print(f"{name}: skipped, {outcome}", flush=True)
        else:
            print(f"{name}: {'clean' if outcome.verdict.is_clean else outcome.verdict}", flush=True)
    return ran


def _asked(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench campaign")
    parser.add_argument("--kills", type=int, default=300, help="in all, the same number of each kind")
    parser.add_argument("--items", type=int, default=1_000_000, help="acknowledged, at least")
    parser.add_argument("--seed", type=int, default=4711)
    parser.add_argument("--calm", type=float, default=_CALM_S, help="seconds between kills on average")
    parser.add_argument("--minutes", type=float, default=120.0, help="kill and send for so long at most")
    parser.add_argument("--only", choices=("kills", "controls"), help="one part by itself; everything without")
    return parser.parse_args(arguments)


def _progress() -> Callable[[Toll, int], None]:
    begun = told = time.monotonic()

    def tell(toll: Toll, acked: int) -> None:
        nonlocal told
        if time.monotonic() - told > _TELL_EVERY_S:
            told = time.monotonic()
            counts = ", ".join(f"{kind} {toll.kills[kind]}" for kind in KINDS)
            print(f"{told - begun:6.0f} s  {toll.kills.total():4} kills ({counts}), {acked:,} items", flush=True)

    return tell
