"""How compiled code lets other threads have their turn: the event loop is one, and somebody waits for it."""

from __future__ import annotations


def give_way() -> None:
    """Let a thread that waits for the interpreter have it; next to nothing where none waits.

    The interpreter looks for such threads when it enters a function of Python's, as this one is and stays. Compiled
    code looks for none, so a loop over many spans or runs calls this in each of its rounds.
    """
