"""The critical path of a span tree: what its end was waiting for at every instant. Pure."""

from __future__ import annotations

from typing import TypeAlias

from console.runs.span_tree import SpanTree

#: From and to, in nanoseconds.
Interval: TypeAlias = tuple[int, int]


def critical_path(tree: SpanTree) -> dict[bytes, tuple[Interval, ...]]:
    """Return the stretches of each span that lie on the path, earliest first.

    Walked backwards from the end, as Jaeger does it: of the children that had ended by then, the last one to end is
    what its parent waited for. A branch lasts until its last span, so work that outlives its caller (a consumer after
    its producer) is on the path too.
    """
    lasts = _lasts(tree)
    found: dict[bytes, list[Interval]] = {}
    # Each frame is one parent (None: above the roots) and the instant from which to look back.
    stack: list[tuple[bytes | None, int]] = [(None, max(lasts.values(), default=0))]
    while stack:
        span_id, cursor = stack.pop()
        children = tree.roots if span_id is None else tree.children.get(span_id, [])
        for child in sorted(children, key=lambda c: (lasts[c], -tree.start[c]), reverse=True):
            if lasts[child] > cursor or lasts[child] == tree.start[child]:
                continue
            _own(tree, found, span_id, lasts[child], cursor)
            stack.append((child, lasts[child]))
            cursor = tree.start[child]
        if span_id is not None:
            _own(tree, found, span_id, tree.start[span_id], cursor)
    return {span_id: tuple(sorted(stretches)) for span_id, stretches in found.items()}


def _lasts(tree: SpanTree) -> dict[bytes, int]:
    """Return when the last span of each branch ended."""
    lasts = dict(tree.end)
    for span_id in reversed(list(tree.depth_first())):
        above = tree.parent[span_id]
        if above is not None:
            lasts[above] = max(lasts[above], lasts[span_id])
    return lasts


def _own(tree: SpanTree, found: dict[bytes, list[Interval]], span_id: bytes | None, start: int, end: int) -> None:
    """Keep the part of the stretch in which the span itself was at work."""
    if span_id is None:
        return
    start, end = max(start, tree.start[span_id]), min(end, tree.end[span_id])
    if start < end:
        found.setdefault(span_id, []).append((start, end))
