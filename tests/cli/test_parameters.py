"""Parameters of functions as options: frozen objects, numbers, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, fields
from inspect import signature
from typing import Annotated, Any, ClassVar

import pytest
import typer

from study.cli.option_sets import RunOptions, SearchOptions, SpecOptions, TrainerOptions
from study.cli.options import ModelOptions, ProgramOptions
from study.cli.parameters import Family, read_by, real, unfolded, whole
from study.errors import StudyError
from study.spec.study import SPEC_FIELDS, StudySpec


@dataclass(frozen=True)
class Size:
    """Two options."""

    panel: ClassVar[str] = "The size"
    width: Annotated[float, real(0, 100, metavar="W", help="Metres.")]
    floors: Annotated[int | None, whole(1, 5, help="Floors.")] = None


def even(text: object) -> int:
    """An even number."""
    if int(str(text)) % 2:
        raise StudyError(f"number {text} must be even")
    return int(str(text))


def called(*arguments: str) -> Any:
    """What a command gets of the arguments."""
    got: list[Any] = []

    def build(
        name: Annotated[str, typer.Argument()],
        size: Size,
        doors: Annotated[int, read_by(even, help="Doors.")] = 2,
    ) -> None:
        got.extend([name, size, doors])

    app = typer.Typer()
    app.command()(unfolded(build))
    app(list(arguments), standalone_mode=False)
    return got


def test_a_command_gets_the_options_of_a_class_as_one_object() -> None:
    """Required ones, defaults, and other parameters beside them."""
    assert called("barn", "--width", "2.5", "--floors", "3") == ["barn", Size(2.5, 3), 2]
    assert called("barn", "--width", "1e-3", "--doors", "4") == ["barn", Size(1e-3), 4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing option '--width'"),
        (["--width", "0"], "'--width': '0' is not a number above 0, at most 100"),
        (["--width", "nan"], "'nan' is not a number"),
        (["--width", "wide"], "'wide' is not a number above 0, at most 100"),
        (["--width", "1", "--floors", "6"], "'--floors': '6' is not a whole number from 1 to 5"),
        (["--width", "1", "--floors", "2.0"], "'2.0' is not a whole number"),
        (["--width", "1", "--floors", "1_0"], "'1_0' is not a whole number"),
        (["--width", "1", "--doors", "3"], "number 3 must be even"),
    ],
)
def test_a_bad_value_is_named_with_what_would_be_right(arguments: list[str], words: str) -> None:
    """The sentence of a check is told as it is."""
    with pytest.raises(typer.TyperException) as caught:
        called("barn", *arguments)
    assert words in caught.value.format_message()


def test_a_number_without_bounds_is_checked_by_the_object_that_takes_it() -> None:
    """The option reads digits alone."""

    @dataclass(frozen=True)
    class Free:
        panel: ClassVar[str] = "Free"
        count: Annotated[int, whole(help="Any.")] = 0
        size: Annotated[float, real(help="Any.")] = 0.0

    def show(free: Free) -> None:
        seen.append((free.count, free.size))

    seen: list[tuple[int, float]] = []
    app = typer.Typer()
    app.command()(unfolded(_resolved(show, Free)))
    app(["--count", "-7", "--size", "-1e9"], standalone_mode=False)
    assert seen == [(-7, -1e9)]
    with pytest.raises(typer.TyperException, match=r"not a whole number$"):
        app(["--count", "many"], standalone_mode=False)


def _resolved(function: Any, kind: type) -> Any:
    """The function, its annotation of a local class resolved."""
    function.__annotations__["free"] = kind
    return function


def test_a_study_can_be_described_by_options_but_for_its_name() -> None:
    """A field that a spec gains is missed here."""
    kinds = (SpecOptions, ModelOptions, ProgramOptions)
    options = {field.name for kind in kinds for field in fields(kind)}
    assert options == set(SPEC_FIELDS) - {"name", "own"}


def test_options_that_were_not_given_change_nothing() -> None:
    """Those that were given replace the spec's own values, and are checked by it."""
    spec = StudySpec(cap=5.0)
    assert SpecOptions().over(spec) == spec
    assert SpecOptions(cap="none", max_steps="500", seeds=2).over(spec) == StudySpec(
        cap=None, max_steps=500, seeds=2
    )
    with pytest.raises(StudyError, match="seeds 0"):
        SpecOptions(seeds=0).over(spec)


def test_a_search_trains_the_trial_that_its_options_describe() -> None:
    """With defaults of a study where nothing is given."""
    trial = SearchOptions(network="mlp", width=2.0, seed=3).trial("adam")
    assert (trial.network, trial.width, trial.seed, trial.optimizer) == ("mlp", 2.0, 3, "adam")
    assert trial.batch == StudySpec().batch


@pytest.mark.parametrize("kind", [SpecOptions, RunOptions, TrainerOptions, SearchOptions])
def test_objects_of_options_are_frozen_and_every_option_has_a_help(kind: Any) -> None:
    """So that nothing that was asked for changes on its way."""
    with pytest.raises(AttributeError):
        setattr(kind(), fields(kind)[0].name, 1)
    family = Family("Any")

    def command(asked: Any) -> None:
        raise AssertionError

    command.__annotations__["asked"] = kind
    for parameter in signature(unfolded(command)).parameters.values():
        (option,) = parameter.annotation.__metadata__
        assert option.help.endswith(".")
        assert option.rich_help_panel == kind.panel
    assert family.panel == "Any"
