"""How the parameters of a function become the options of a command.

A command may take a frozen dataclass of options: each field is an option, and the command gets the
object. Several commands share one such class, so that no list of options is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, ParamSpec, get_args, get_origin, get_type_hints

import typer

from study.cli.formatting import LOG
from study.errors import StudyError
from study.machine.loading import unswept
from study.validation import home, integer, number

P = ParamSpec("P")


ANY = 10**18
"""Bounds of a whole number whose range is checked by the object that it is passed to."""


def whole(low: int = -ANY, high: int = ANY, **told: Any) -> Any:
    """An option that is a whole number from low to high."""
    bounded = (low, high) != (-ANY, ANY)
    within = f" from {low} to {high}" if bounded else ""

    def parse(text: Any) -> int:
        try:
            return integer("number", text, low, high)
        except StudyError:
            raise typer.BadParameter(f"{text!r} is not a whole number{within}") from None

    if bounded:
        told |= {"min": low, "max": high}
    return typer.Option(parser=parse, **{"metavar": "N", **told})


def real(above: float = -float("inf"), most: float = float("inf"), **told: Any) -> Any:
    """An option that is a number above one bound, and at most the other."""
    within = f" above {above:g}, at most {most:g}" if above > -float("inf") else ""

    def parse(text: Any) -> float:
        try:
            return number("number", text, above, most) if within else float(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not a number{within}") from None

    return typer.Option(parser=parse, **told)


def read_by(parse: Callable[[Any], Any], *names: str, **told: Any) -> Any:
    """An option whose text `parse` reads; its `StudyError` is told as it is."""

    def parser(text: Any) -> Any:
        try:
            return parse(text)
        except StudyError as error:
            raise typer.TyperException(str(error)) from None

    return typer.Option(*names, parser=parser, **told)


def among(names: Sequence[str], *flags: str, **told: Any) -> Any:
    """An option whose value is one of the names: the shell completes them."""
    return typer.Option(
        *flags, **{"metavar": "NAME", "autocompletion": lambda: list(names), **told}
    )


def path_of(text: str) -> Path:
    """A path, `~` in it expanded; an empty text, which an unset variable gives, is refused."""
    if not text:
        raise typer.BadParameter("it is an empty text: name a file or a folder")
    try:
        return home(text)
    except StudyError as error:
        raise typer.BadParameter(str(error)) from None


def _as_path(annotation: Any) -> Any:
    """An annotated parameter; one that is a path, or several, is read by `path_of`."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, option = get_args(annotation)
    if Path in (kind, *get_args(kind)) and option.parser is None:
        option = copy(option)
        option.parser = path_of
    return Annotated[kind, option]


class Family:
    """The commands of one panel of `study --help`."""

    def __init__(self, panel: str) -> None:
        self.app, self.panel = typer.Typer(), panel

    def command(
        self, *examples: str, name: str | None = None
    ) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Add a function as a command; its help ends in the examples."""
        return lambda function: self.app.command(
            name,
            rich_help_panel=self.panel,
            epilog="\n".join(["Examples:", *(f"  {example}" for example in examples)]),
        )(unfolded(function))


def unfolded(function: Callable[..., None]) -> Callable[..., None]:
    """The function, with the fields of its dataclass parameters as parameters of its own.

    Typer reads the new signature. The options of a class stand together in the help, under the
    title `panel` of the class.
    """
    hints = get_type_hints(function, include_extras=True)
    classes: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[Parameter] = []
    for name, parameter in signature(function).parameters.items():
        if name in classes:
            parameters += _options(classes[name])
        else:
            parameters.append(
                parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=_as_path(hints[name]))
            )

    @wraps(function)
    def command(**values: Any) -> None:
        given = (f"{name} {value}" for name, value in values.items() if value not in (None, ""))
        LOG.info("options: %s", ", ".join(given))
        objects = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in classes.items()
        }
        function(**values, **objects)

    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def brief(function: Callable[P, None]) -> Callable[P, None]:
    """A command of seconds: Python's garbage collector would take a tenth of them."""

    @wraps(function)
    def command(*args: P.args, **values: P.kwargs) -> None:
        with unswept():
            function(*args, **values)

    return command


def _options(kind: Any) -> list[Parameter]:
    """The fields of a dataclass as parameters that have a place in the help."""
    hints = get_type_hints(kind, include_extras=True)
    parameters = []
    for field in fields(kind):
        annotation, option = get_args(_as_path(hints[field.name]))
        option = copy(option)
        option.rich_help_panel = kind.panel
        parameters.append(
            Parameter(
                field.name,
                Parameter.KEYWORD_ONLY,
                default=Parameter.empty if field.default is MISSING else field.default,
                annotation=Annotated[annotation, option],
            )
        )
    return parameters
