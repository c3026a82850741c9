"""A study of programs: what its command line may hold, and what each trial fills in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.errors import StudyError
from study.spec.own import Own, Scale
from study.spec.program import (
    PROGRAM,
    check_places_vary,
    fill,
    program_in,
    short,
    unnamed,
    values_of,
    words_of,
)
from study.spec.study import StudySpec
from study.spec.trial import Trial

LINE = "python train.py --lr {rate} --opt {optimizer} --seed {seed}"
SPEC = StudySpec(command=LINE, optimizers=("SGD", "AdamW(weight_decay=0.1)"), rates="1e-3:1:3")


def known(spec: StudySpec) -> StudySpec:
    """The spec with the facts that a run finds out."""
    scales = tuple(Scale(width, "0123456789abcdef", 0, 0) for width in spec.widths)
    own = Own(PROGRAM, PROGRAM, "", False, None, False, ("python",), scales, {})
    own = replace(own, configs=dict.fromkeys(spec.optimizers, ""))
    return spec.with_(network="program:01234567", dataset="program:01234567", own=own)


def trials(spec: StudySpec = SPEC) -> list[Trial]:
    """Its trials."""
    return known(spec).trials()


def test_a_program_settles_what_is_its_own_affair() -> None:
    """The clock is read, a step is what it counts, and its metric is an accuracy unless said."""
    assert (SPEC.mode, SPEC.batch, SPEC.check_every) == ("alone", 1, 1)
    assert (SPEC.metric, SPEC.goal) == ("accuracy", "at-least")
    assert SPEC.optimizers == ("SGD", "AdamW(weight_decay=0.1)")
    assert StudySpec(command="x", metric="val/loss", target=0.3).goal == "at-most"
    assert StudySpec(command="x").optimizers == ("program",)


def test_a_spec_of_programs_survives_json() -> None:
    """With all that says how it reports."""
    spec = known(
        SPEC.with_(report="{out}/log.csv", read=r"(?P<step>\d+)", track=["a.py"], percent=True)
    )
    again = StudySpec(**spec.to_json())
    assert again == spec
    assert [t.id for t in again.trials()] == [t.id for t in spec.trials()]


def test_the_program_is_part_of_a_trials_identity() -> None:
    """Its digest is; where it reports is part of that."""
    first, *_ = trials()
    other = replace(first, start="fedcba9876543210")
    assert first.id != other.id
    assert first.start == "0123456789abcdef"


def test_a_trial_fills_its_places() -> None:
    """Numbers as Python writes them, a whole width as a whole number."""
    trial = replace(trials()[0], learning_rate=1e-05, width=2.0, seed=3)
    values = values_of(trial, Path("/a b/c"))
    assert values == {
        **{"rate": "1e-05", "optimizer": "SGD", "width": "2", "seed": "3"},
        **{"out": "/a b/c", "trial": trial.id},
    }
    assert float(values_of(replace(trial, learning_rate=0.1 + 0.2), Path())["rate"]) == 0.1 + 0.2
    assert [fill(word, values) for word in words_of("x --to={out}/w{width} '{seed} {rate}'")] == [
        *("x", "--to=/a b/c/w2", "3 1e-05"),
    ]


@pytest.mark.parametrize("name", ["a b", "$(rm -rf /)", "a;b", "{rate}", "'", "é"])
def test_a_value_is_one_argument_whatever_it_holds(name: str) -> None:
    """Nothing splits or reads it again."""
    values = {**values_of(trials()[0], Path("/x")), "optimizer": name}
    assert [fill(word, values) for word in words_of("x --opt {optimizer} y")] == [
        *("x", "--opt", name, "y"),
    ]


def test_json_on_a_command_line_keeps_its_braces() -> None:
    """A brace around anything but a name is a brace."""
    text = '{"lr": {rate}, "deep": {"a": {"b": 1}}, "as": {{rate}}}'
    assert fill(text, {"rate": "0.5"}) == '{"lr": 0.5, "deep": {"a": {"b": 1}}, "as": {rate}}'


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"command": "x {lr}"}, "command has the unknown place {lr}: one of {rate}, "),
        ({"command": "x", "report": "{id}.csv"}, "report has the unknown place {id}"),
        ({"command": "x 'a"}, "cannot be split: No closing quotation"),
        ({"command": "  "}, "must name a program"),
        ({"command": ["x", 3]}, "must name a program"),
        ({"command": "x", "read": "acc (?P<acc>.*)"}, "has no group step"),
        ({"command": "x", "read": "("}, "is no regular expression"),
        ({"command": "x", "target": 90}, "target 90: accuracy is a share .* give 0.9, and --perc"),
        ({"command": "x {optimizer}"}, "name the optimizers"),
        ({"command": "x", "batch": 32}, "batch 32 is the program's own affair"),
        ({"command": "x", "schedule": "cosine:steps=9"}, "schedule 'cosine:steps=9' is the prog"),
        ({"command": "x", "max_epochs": 3}, "max_epochs 3 is none of a program's"),
        ({"command": "x", "network": "mlp"}, "network 'mlp' is none of a program's"),
        ({"command": "x", "model": "a.py:b", "data": "a.py:c"}, "model 'a.py:b' is none of a pr"),
        ({"command": "x", "hyper": "keras"}, "hyper 'keras' is none of a program's"),
        ({"command": "x", "percent": "yes"}, "percent 'yes' must be true or false"),
        ({"command": "x", "optimizers": ["a b"]}, "optimizer 'a b' must be a name without"),
        ({"read": r"(?P<step>\d+)"}, "read is of a program: give command, too"),
        ({"command": "x", "cap": None}, "needs a cap"),
    ],
)
def test_what_makes_no_sense_is_told(given: dict[str, Any], said: str) -> None:
    """In one sentence, before anything runs."""
    with pytest.raises(StudyError, match=said) as told:
        StudySpec(**given)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("report", "lacks"),
    [("log.csv", "{optimizer}"), ("{optimizer}.csv", "{rate}"), ("{optimizer}-{rate}", "{seed}")],
)
def test_two_trials_that_would_write_one_file_are_refused(report: str, lacks: str) -> None:
    """Whatever varies must stand in the name, or what is a trial's own."""
    spec = SPEC.with_(report=report, seeds=2)
    with pytest.raises(StudyError, match=f"two trials would write one file.* it lacks {lacks}"):
        check_places_vary(program_in(spec), spec)
    for fine in ("{out}/log.csv", "{trial}.csv", "{optimizer}-{rate}-{seed}.csv", ""):
        fits = spec.with_(report=fine)
        check_places_vary(program_in(fits), fits)


def test_what_varies_and_has_no_place_is_told() -> None:
    """A program may read a variable in its place."""
    spec = SPEC.with_(command="python train.py {rate} {optimizer}", seeds=3)
    (said,) = unnamed(program_in(spec), spec)
    assert said.startswith("the command has no {seed}: all 3 values run the same line, unless the")
    assert "STUDY_SEED" in said


def test_a_program_is_called_by_its_script() -> None:
    """Interpreters and options are no name."""
    assert short("uv run python -m torch.run src/train.py --lr {rate}") == "train.py"
    assert short("/opt/bin/simulate --x {rate}") == "simulate"
