"""The examples in docstrings give what they show."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from test_architecture import FILES, STUDY

WITH_EXAMPLES = [file for file in FILES if ">>> " in (STUDY / file).read_text()]


@pytest.mark.parametrize("file", WITH_EXAMPLES)
def test_an_example_is_true(file: str) -> None:
    """Run as it stands, by itself."""
    name = "study." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed
