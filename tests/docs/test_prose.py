"""The documentation is written for readers of English as a second language: short sentences."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "study").glob("*/README.md")),
    ROOT / "examples" / "README.md",
]
LONGEST = 30
"""Words of a sentence; about twenty are the aim."""
NOT_PROSE = re.compile(
    r"^```.*?^```$|<!--.*?-->|^ {4,}\S[^\n]*$|^[|#:][^\n]*$", re.MULTILINE | re.DOTALL
)
STARTS = re.compile(r"\n\s*\n|\n\s*(?:[*-]|\d+\.) ")
ENDS = re.compile(r"(?<=[.!?])[\s)*\"]+(?=[\"(*`A-Z0-9])")


def sentences(text: str) -> list[str]:
    """The sentences of a page of Markdown, without code and tables; a list's item starts one."""
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)  # a link reads as its words
    text = NOT_PROSE.sub("\n", text)
    text = re.sub(r"`[^`]*`", "Code", text)  # code reads as a word
    return [
        " ".join(sentence.split())
        for paragraph in STARTS.split(text)
        for sentence in ENDS.split(paragraph)
        if sentence.strip()
    ]


def test_sentences_are_told_apart() -> None:
    """Code and tables are none; an item of a list is one."""
    text = (
        "# Title\n\nOne two. Three `four five`.\n* Six\n  seven\n\n| a | b |\n\n```bash\nrm\n```\n"
    )
    assert sentences(text) == ["One two.", "Three Code.", "Six seven"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_sentence_is_long(path: Path) -> None:
    """Of more than thirty words."""
    found = sentences(path.read_text(encoding="utf-8"))
    assert not [sentence for sentence in found if len(sentence.split()) > LONGEST]
