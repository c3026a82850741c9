"""The source of the user's classes and functions, without what does not train."""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType
from typing import Any


def names(code: CodeType) -> Iterator[tuple[str, str]]:
    """The global names that compiled code reads, each with the attribute that it reads of it."""
    before = ""
    for one in dis.get_instructions(code):
        if before:
            yield before, str(one.argval) if one.opname in ("LOAD_ATTR", "LOAD_METHOD") else ""
        before = str(one.argval) if one.opname in ("LOAD_GLOBAL", "LOAD_NAME") else ""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from names(inner)


def source(thing: Any) -> str | None:
    """The code of a class or function as it would be without comments, docstrings and layout.

    None where its source is not at hand.
    """
    try:
        if getattr(thing, "__name__", "") == "<lambda>":
            return ast.unparse(_lambda(thing))
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            first = body[0].value
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _lambda(function: Any) -> ast.Lambda:
    """The part of a file that a lambda was compiled from: the smallest around all of its code.

    Raises:
        ValueError: none is.
    """
    code = function.__code__
    tree = ast.parse("".join(inspect.findsource(function)[0]))
    spots = [one for one in code.co_positions() if None not in one and one[2:] != (0, 0)]
    begin = min((line, column) for line, _, column, _ in spots)
    end = max((line, column) for _, line, _, column in spots)
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Lambda)
        and (node.body.lineno, node.body.col_offset) <= begin
        and end <= (node.body.end_lineno or 0, node.body.end_col_offset or 0)
    ]
    return min(around, key=lambda node: len(ast.unparse(node)))


def compiled(thing: Any) -> str:
    """The compiled code of a function, or of all functions of a class."""
    functions = vars(thing).values() if inspect.isclass(thing) else [thing]
    return " ".join(_bytes(one.__code__) for one in functions if hasattr(one, "__code__"))


def _bytes(code: CodeType) -> str:
    inner = [
        _bytes(one) if isinstance(one, CodeType) else repr(one)
        for one in code.co_consts
        if not isinstance(one, frozenset)  # their order is another in every process
    ]
    return f"{code.co_name} {code.co_code.hex()} {code.co_names} {' '.join(inner)}"


def short(text: str) -> str:
    """Eight hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
