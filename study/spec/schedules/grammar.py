"""The text of schedules made of schedules: `A * B`, `A then B at N`, and brackets."""

from __future__ import annotations

import re
from collections.abc import Callable

from study.errors import StudyError
from study.spec.schedules.base import Schedule
from study.spec.schedules.compose import Joined, Product

DEEPEST = 20
"""Brackets within brackets."""


def is_compound(text: str) -> bool:
    """Whether a text has more than one word."""
    return bool(re.search(r"[\s()*]", text))


def compound(text: str, shape: Callable[[str], Schedule]) -> Schedule:
    """The schedule that a text of several words means.

    Args:
        text: words, `*`, `then ... at N`, and brackets.
        shape: the schedule that a word names.

    Raises:
        StudyError: words that make no schedule.
    """
    reader = _Reader(text, shape)
    found = reader.joined(0)
    if reader.words:
        raise reader.wrong("'*', 'then' or the end")
    return found


class _Reader:
    """Reads a text word by word; a method for each rule of the grammar."""

    def __init__(self, text: str, shape: Callable[[str], Schedule]) -> None:
        self.text, self.shape = text, shape
        self.words = re.findall(r"[()*]|[^\s()*]+", text)[::-1]

    def joined(self, depth: int) -> Schedule:
        """product ('then' product 'at' number)*"""
        parts, starts = [self.product(depth)], []
        while self.accepts("then"):
            parts.append(self.product(depth))
            if not self.accepts("at"):
                raise self.wrong("'at' and a step")
            if not self.words or not re.fullmatch(r"[0-9]{1,18}", self.words[-1]):
                raise self.wrong("a step")
            starts.append(int(self.words.pop()))
        return Joined(tuple(parts), tuple(starts)) if starts else parts[0]

    def product(self, depth: int) -> Schedule:
        """unit ('*' unit)*"""
        parts = [self.unit(depth)]
        while self.accepts("*"):
            parts.append(self.unit(depth))
        return Product(tuple(parts)) if len(parts) > 1 else parts[0]

    def unit(self, depth: int) -> Schedule:
        """'(' joined ')', or a shape"""
        if self.accepts("("):
            if depth == DEEPEST:
                raise StudyError(f"schedule {self.text!r} has more than {DEEPEST} nested brackets")
            found = self.joined(depth + 1)
            if not self.accepts(")"):
                raise self.wrong("')'")
            return found
        if not self.words or self.words[-1] in ("*", ")", "then", "at"):
            raise self.wrong("a schedule")
        return self.shape(self.words.pop())

    def accepts(self, word: str) -> bool:
        """Whether the next word is this one, which is then read."""
        if not self.words or self.words[-1] != word:
            return False
        self.words.pop()
        return True

    def wrong(self, wanted: str) -> StudyError:
        """The error at the next word."""
        found = f"not {self.words[-1]!r}" if self.words else "not its end"
        return StudyError(f"schedule {self.text!r}: {wanted} must come there, {found}")
