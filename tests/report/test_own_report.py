"""The report on studies of the user's own model."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from study import report
from study.report.protocol import protocol
from study.spec.study import StudySpec
from support.made import stored as built_in
from support.own.studies import ACCURACY, LION, LOSS, SIZES, own, stored
from support.published import GRID, in_band

pytestmark = pytest.mark.slow


def text_of(*folders: Path) -> str:
    """The page without its pictures and marks."""
    page = report.write(folders, folders[0].parent / "report.html").read_text(encoding="utf-8")
    return unescape(re.sub(r"base64,[^\"]+|<style>.*?</style>", "", page, flags=re.DOTALL))


@pytest.mark.parametrize("share", [1.0, 0.4], ids=["finished", "half-finished"])
@pytest.mark.parametrize("spec", [LOSS, ACCURACY, SIZES], ids=lambda spec: spec.name)
def test_the_page_tells_the_model_its_metric_and_its_optimizers(
    spec: StudySpec, share: float, tmp_path: Path
) -> None:
    """In sentences, alternative texts and tables; its structure and settings are folded away."""
    page = text_of(stored(tmp_path / "own", spec, share))
    assert "The model my_model.py:build (" in page
    assert "was trained on my_model.py:data in batches of 32 with " in page
    assert "own:0123abcd" not in page
    assert "Lion (weight_decay=0.01)" in page
    assert "the article's network and its six optimizers" in page
    assert "all six" not in page
    assert f"{round(share * len(spec))} of {len(spec)} trials are stored" in page
    assert page.count("<details><summary><span>") == 2
    assert "Linear(<16>, 1)" in page
    assert f'{LION}: {{"name": "{LION}"}}' in page
    if spec is not ACCURACY:
        claimed = page.index("The published claims")
        assert "accuracy" not in page[:claimed]
    if share == 1:
        shown = "Validation accuracy" if spec is ACCURACY else "Validation loss"
        assert f"{shown} against seconds of training, a curve an optimizer at its" in page


def test_the_protocol_of_ones_own_is_told() -> None:
    """The metric and its goal, when it is taken, the sizes, the loss, the budget."""
    assert protocol(LOSS) == (
        "The model my_model.py:build (width 1) was trained on my_model.py:data in batches of 32 "
        "with SGD, AdamW, Lion (weight_decay=0.01), SGD (momentum=0.9, nesterov=true) at 11 "
        "learning rates from 1e-05 to 1, 3 seeds each, until its validation loss fell to 0.3, "
        "looked at every 50 steps; it was given up after 60 seconds of training. It is a PyTorch "
        "model of 1,000 weights with the loss mse."
    )
    accuracy = ACCURACY.with_(max_steps=2000)
    assert "until its training accuracy over the last 50 steps reached 90 %" in (
        told := protocol(accuracy)
    )
    assert told.endswith(
        "it was given up after 60 seconds of training or 2,000 steps. It is a PyTorch model of "
        "1,000 weights with its own loss."
    )
    several = protocol(SIZES)
    assert "(5 widths from 1 to 4)" in several
    assert "of 1,000 to 4,000 weights" in several


def test_the_protocol_of_built_in_networks_is_told_as_ever() -> None:
    """Word for word."""
    assert protocol(GRID) == (
        "The compact network (width 1) was trained on mnist in batches of 100 with SGD, Momentum, "
        "Adam, Adagrad, Adadelta, RMSProp at 48 learning rates from 1e-06 to 100, 3 seeds each, "
        "until its training accuracy over the last 50 steps reached 97 %, looked at every 50 "
        "steps; it was given up after 120 seconds of training."
    )
    cumulative = protocol(GRID.with_(metric="cumulative"), looks_known=False)
    assert "until its training accuracy since the first step reached 97 %; it" in cumulative
    assert "its validation accuracy reached" in protocol(GRID.with_(metric="validation"))


def test_both_kinds_stand_on_one_page(tmp_path: Path) -> None:
    """The claims are the built-in networks', and the page says so; nothing is folded for these."""
    one = built_in(tmp_path / "grid", GRID.with_(seeds=1), in_band)
    page = text_of(one, stored(tmp_path / "own", LOSS.with_(own=own())))
    assert "the claims are judged on the other studies, without the model my_model.py" in page
    assert page.count("<details><summary><span>") == 2
    assert "article's network" not in page
