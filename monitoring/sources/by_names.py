"""What the names of a span's attributes tell, found out once for each set of names: a plant has few of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

#: The names of a span's attributes, in the order in which the sender wrote them.
Names: TypeAlias = tuple[str, ...]
_T = TypeVar("_T")

_MOST_SETS = 4096
_MOST_NAMES, _MOST_CHARS = 128, 4096


class ByNames(dict[Names, _T], Generic[_T]):
    """What `find` makes of names, remembered for a bounded number of sets, each of a bounded size.

    A sender that invents names without end empties the memory, it does not fill it.
    """

    def __init__(self, find: Callable[[Names], _T]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, names: Names) -> _T:
        found = self._find(names)
        if len(names) <= _MOST_NAMES and sum(map(len, names)) <= _MOST_CHARS:
            if len(self) >= _MOST_SETS:
                self.clear()
            self[names] = found
        return found
