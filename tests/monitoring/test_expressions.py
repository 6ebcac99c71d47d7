"""Expressions: what a person is told about a wrong one, what one looks at, and that none can hurt intake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.expressions import MAX_CHARS, WHOLE, ExpressionError, check, compiled, holds, names

CONTEXT = {
    "resource": {"service.name": "erp-bridge"},
    "span": {"name": "release", "order.id": "4711", "tries": 3, "tags": ["a", "b"]},
    "event": {},
}


@pytest.mark.parametrize(
    ("expression", "true"),
    [
        ('resource["service.name"] == "erp-bridge"', True),
        ('resource["service.name"].startsWith("erp") && span.name == "release"', True),
        ('span.name.matches("^rel")', True),
        ('span["tries"] > 2', True),
        ('"order.id" in span', True),
        ("has(span.missing)", False),
        ('span["missing"] == "x"', False),
        ('!(span["missing"] == "x")', False),  # a missing attribute makes no statement true, its opposite neither
        ('span["missing"] == "x" || span.name == "release"', True),
        ('span["tries"].startsWith("3")', False),
        ('span["tags"].exists(tag, tag == "b")', True),
        ('event.type == "order"', False),
        ('span["order.id"].matches("(")', False),
        ("span.name", False),
        ("1 / 0 == 1", False),
    ],
)
def test_it_holds_or_not_and_never_raises(expression: str, true: bool) -> None:
    assert holds(expression, CONTEXT) is true


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("", "The expression is empty"),
        ("span.name ==", "Line 1, column 13: mismatched input '<EOF>'"),
        ('span.name == "a" &&\nresorce.x == 1', "Line 2, column 1: 'resorce' is unknown; use event, resource, span."),
        ('span.name.lower() == "a"', "Line 1, column 11: there is no function 'lower'."),
        ('span.a ? order : "x"', "Line 1, column 10: 'order' is unknown"),
        ("x" * (MAX_CHARS + 1), f"at most {MAX_CHARS} are allowed"),
        ("[1].all(a, [1].all(b, [1].all(c, true)))", "at most 2 of"),
    ],
)
def test_it_says_what_is_wrong_and_where(expression: str, what: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        check(expression)

    assert what in str(raised.value)


def test_it_refuses_brackets_nested_without_end() -> None:
    with pytest.raises(ExpressionError):
        check("(" * 400 + "1" + ")" * 400)


@pytest.mark.parametrize(
    ("expression", "looked_at"),
    [
        ('resource["service.name"] == "a" && span.name == "b"', {("resource", "service.name"), ("span", "name")}),
        ("resource['service.name'] == 'a'", {("resource", "service.name")}),
        ('span["http.route"].startsWith("/orders")', {("span", "http.route")}),
        ('span.name.startsWith("span") && "resource" == span["x"]', {("span", "name"), ("span", "x")}),
        ('"order.id" in span', {("span", "order.id")}),
        ('event.data.order_id == "1" && event.data["lot"] == "2"', {("event", "data.order_id"), ("event", "data.lot")}),
        ("event.data.order.id == 1", {("event", "data.order")}),
        ('event.data["order.id"] == 1', {("event", "data.order.id")}),
        ('event.entity == "order.released" && event.plant == "ulm"', {("event", "entity"), ("event", "plant")}),
        ("has(event.data)", {("event", "data")}),
        ('size(span) > 3 && resource["a"] == "b"', {("span", WHOLE), ("resource", "a")}),
        ('resource.exists(name, name == "a")', {("resource", WHOLE)}),
        ('span["a" + "b"] == 1', {("span", WHOLE)}),
        ("true", set()),
    ],
)  # fmt: skip
def test_it_knows_what_an_expression_looks_at(expression: str, looked_at: set[tuple[str, str]]) -> None:
    assert names(expression) == looked_at


def test_it_takes_other_roots_where_the_caller_has_others() -> None:
    check('request.kind == "release"', frozenset({"request"}))

    with pytest.raises(ExpressionError, match="use request"):
        check("span.name == 'a'", frozenset({"request"}))


def test_it_compiles_an_expression_once() -> None:
    assert compiled("span.name == 'once'") is compiled("span.name == 'once'")


@given(st.text(alphabet="spanevtrouc.[]\"'()&|!=<>+ 1x\\\n{}:?,", max_size=60))
def test_it_refuses_or_runs_anything_that_is_typed(expression: str) -> None:
    try:
        ready = compiled(expression)
    except ExpressionError:
        return
    assert ready.holds(CONTEXT) in {True, False}
