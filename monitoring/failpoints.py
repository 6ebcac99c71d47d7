"""Named places where a crash test may kill, delay or break this process; without ANDON_FAILPOINT they do nothing.

`ANDON_FAILPOINT=NAME:ACTION[:WHEN]`. ACTION is `exit` (as kill -9 would), `sleep=SECONDS` or `raise`. WHEN is the
number of the visit that it strikes at, or with a point in it the probability of each visit; left out, every visit.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass


class FailPointReached(RuntimeError):
    """Raised on purpose."""


@dataclass(frozen=True, slots=True)
class FailPoint:
    """What happens where. `strikes` is asked at each visit."""

    name: str
    action: str
    strikes: Callable[[], bool]

    def visit(self, name: str) -> None:
        """Do what was asked for, if this is the place and the moment."""
        if name != self.name or not self.strikes():
            return
        # Straight to standard error: a process that dies next flushes nothing.
        os.write(2, f'{{"failpoint": "{self.name}", "action": "{self.action}"}}\n'.encode())
        if self.action == "exit":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "raise":
            raise FailPointReached(self.name)
        time.sleep(float(self.action.removeprefix("sleep=")))


def fail_point(text: str) -> FailPoint | None:
    """Read the variable's value; None where it is empty. Raises ValueError for what it can't read."""
    if not text:
        return None
    name, action, when = [*text.split(":"), "", ""][:3]
    if action not in ("exit", "raise"):
        float(action.removeprefix("sleep="))
    return FailPoint(name, action, _moments(when))


def _moments(when: str) -> Callable[[], bool]:
    if not when:
        return lambda: True
    if "." in when:
        probability = float(when)
        return lambda: random.random() < probability  # noqa: S311  Chance, not a secret.
    visits, wanted = itertools.count(1), int(when)
    return lambda: next(visits) == wanted


_ARMED = fail_point(os.environ.get("ANDON_FAILPOINT", ""))


def reach(name: str) -> None:
    """Say that the process stands at this place."""
    if _ARMED is not None:
        _ARMED.visit(name)
