"""What the plant has sent so far, so that the next start goes on from there and sends nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from console.plant.files import read_json, write_json
from console.plant.plan import Plan, dumped, loaded
from console.plant.progress import FILE

DAYS = 30
_DAY = timedelta(days=1)
#: A pause no longer than this is made up for at the live rate.
_SHORT = timedelta(minutes=10)


@dataclass(slots=True)
class Block:
    """A stretch of the past, of which `batches` are sent; what is due after `cut` was then still to come."""

    since: datetime
    until: datetime
    cut: datetime
    is_dense: bool = False
    batches: int = 0
    is_done: bool = False


@dataclass(slots=True)
class State:
    """The content of plant.json."""

    seed: int
    blocks: list[Block] = field(default_factory=list)
    live_until: datetime | None = None
    opened_at: datetime | None = None
    pending: list[Plan] = field(default_factory=list)
    is_live: bool = False

    def plan_blocks(self, now: datetime) -> None:
        """Adds what is missing: everything at the first start, later the time since the last one. Newest first."""
        if self.live_until is None:
            hour_ago = now - timedelta(hours=1)
            past = _days(now - DAYS * _DAY, hour_ago, now)
            self.blocks = [Block(hour_ago, now, now, is_dense=True), *past]
        elif now - self.live_until > _SHORT:
            self.blocks = [*_days(max(self.live_until, now - DAYS * _DAY), now, now), *self.blocks]
        else:
            return
        self.live_until = now

    def content(self) -> dict[str, Any]:
        """The state as plain JSON, with the progress as pages read it."""
        done = sum(block.is_done for block in self.blocks)
        days = max(len(self.blocks), 1)
        return {
            "history": {"done_days": DAYS * done // days, "of_days": DAYS},
            "live": self.is_live,
            "seed": self.seed,
            "live_until": _text(self.live_until),
            "opened_at": _text(self.opened_at),
            "blocks": [_block_content(block) for block in self.blocks],
            "pending": [dumped(plan) for plan in self.pending],
        }


def load(home: Path, seed: int) -> State:
    """The kept state, or a new one."""
    content = read_json(home / FILE)
    if not isinstance(content, dict) or content.get("seed") != seed:
        return State(seed)
    blocks = [
        Block(_time(b["since"]), _time(b["until"]), _time(b["cut"]), b["dense"], b["batches"], b["done"])
        for b in content["blocks"]
    ]
    return State(
        seed=seed,
        blocks=blocks,
        live_until=_time_or_none(content["live_until"]),
        opened_at=_time_or_none(content["opened_at"]),
        pending=[loaded(plain) for plain in content["pending"]],
    )


def save(home: Path, state: State) -> None:
    """Keeps the state."""
    write_json(home / FILE, state.content())


def _days(since: datetime, until: datetime, cut: datetime) -> list[Block]:
    """[since, until) cut at midnights UTC, newest first."""
    blocks: list[Block] = []
    end = until
    while end > since:
        midnight = datetime.combine((end - timedelta(microseconds=1)).date(), time(), UTC)
        start = max(since, midnight)
        blocks.append(Block(start, end, cut))
        end = start
    return blocks


def _block_content(block: Block) -> dict[str, Any]:
    return {
        "since": _text(block.since),
        "until": _text(block.until),
        "cut": _text(block.cut),
        "dense": block.is_dense,
        "batches": block.batches,
        "done": block.is_done,
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _time_or_none(text: str | None) -> datetime | None:
    return _time(text) if text else None
