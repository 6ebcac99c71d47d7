"""What a campaign found: the table that people read, and the figures that are kept."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from bench.campaign.campaign import Outcome
from bench.campaign.nemesis import KINDS
from bench.table import Figure

#: What the table must say with its figures.
LIMITS = (
    "kill -9 leaves the operating system's cache standing, so this says nothing about power loss: that rests on",
    "fsync, which PostgreSQL calls here and no kill puts to the test. All faults are those of one machine. Items that",
    "one kill hits hang together, so the bound counts kills, not items.",
)


def upper_bound(kills: int) -> float:
    """The 95 % upper bound of the probability that a kill loses something, after this many that lost nothing."""
    return 1.0 - 0.05 ** (1 / kills) if kills else 1.0


def figures(outcome: Outcome, caught: Mapping[str, bool], scenarios: Mapping[str, Outcome | str]) -> list[Figure]:
    """The figures of the campaign, its controls and the scenarios that could be run."""
    toll, verdict = outcome.toll, outcome.verdict
    made = [_figure(f"kills: {kind}", toll.kills[kind], "kills") for kind in KINDS]
    made += [
        _figure("kills in all", toll.kills.total(), "kills"),
        _figure("items acknowledged", verdict.acked, "items"),
        _figure("lost", verdict.lost, "items"),
        _figure("counted twice or not at all, over all counters", verdict.doubled, "items"),
        _figure("under the wrong tenant", verdict.misfiled, "items"),
        _figure("never sent, yet there", verdict.phantom, "items"),
        _figure("notifications never delivered", verdict.undelivered, "messages"),
        _figure("answers that were wrong or final", verdict.wrong_answers, "answers"),
        _figure("in doubt, given up, and stored", verdict.indeterminate_stored, "items"),
        _figure("notifications that arrived again, same id", verdict.repeated_messages, "messages"),
        _figure("429 and 503 that the senders saw", verdict.refusals_seen, "answers"),
        _figure("429 and 503 in the tenants' usage", verdict.refusals_written, "answers"),
    ]
    for kind in (*KINDS, "hardship"):
        if waits := toll.recovery_s.get(kind):
            made.append(_figure(f"first acknowledgement after {kind}, median", statistics.median(waits), "s"))
            made.append(_figure(f"first acknowledgement after {kind}, longest", max(waits), "s"))
    bound = upper_bound(toll.kills.total()) if verdict.is_clean else 1.0
    made.append(_figure("a kill loses or doubles something: at most (95 %)", 100 * bound, "%"))
    made += of_controls(caught)
    for name, ran in scenarios.items():
        if isinstance(ran, Outcome):
            wrong = ran.verdict.lost + ran.verdict.doubled + ran.verdict.misfiled + ran.verdict.phantom
            made.append(_figure(f"{name}: lost, doubled, misfiled, never sent", wrong, "items"))
    return [*made, _figure("time", outcome.seconds / 60, "min")]


def of_controls(caught: Mapping[str, bool]) -> list[Figure]:
    """Which of the consoles that break a promise were found out."""
    return [_figure(f"caught: {name}", float(found), "of 1") for name, found in caught.items()]


def explain(outcome: Outcome) -> None:
    """Print what the figures leave out: ways of dying, what to look at first, and what was not shown."""
    for way, times in sorted(outcome.toll.ways.items()):
        print(f"          {times:4} x {way}")
    for ended in outcome.deaths:
        print(f"          by itself: {ended[:300]}")
    for example in outcome.verdict.examples:
        print(f"          FAULT {example}")
    for line in LIMITS:
        print(f"          {line}")


def _figure(name: str, value: float, unit: str) -> Figure:
    return Figure("campaign", name, float(value), unit)
