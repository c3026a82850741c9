"""What is known of a user's own model and data without their code: facts that a study stores."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.errors import StudyError
from study.spec.hyper import split_labels
from study.spec.program import IMPORT, PROGRAM, is_program, short

OWN = "own"
"""The network and the data set of a study of the user's own model, before they are known."""


KNOWN = re.compile(rf"({OWN}|{PROGRAM}|{IMPORT}):[0-9a-f]{{8}}")
"""Their names once they are known: the first digits of their digests; of programs and imports, too.
"""


LABEL = re.compile(r"[a-z_][a-z0-9_]*(\(.*\))?")
"""The label of an optimizer: the name of its class, and the settings that are not its defaults."""


@dataclass(frozen=True)
class Scale:
    """The model at a width.

    Args:
        width: what `build` was given.
        start: digest of its structure and of its weights at seed 0.
        weights: the number of trainable weights.
        multiply_adds: multiplications, each with its addition, of one sample; 0 if not known.
        lane_bytes: memory that one lane of an array takes in training, 0 if not known.
    """

    width: float
    start: str
    weights: int
    multiply_adds: int
    lane_bytes: int = 0


@dataclass(frozen=True)
class Own:
    """A user's own model and data.

    Args:
        framework: `keras` or `torch`, or `program` or `import`, of which that alone is known.
        engine: what computes: Keras's backend, `torch`, or the program itself.
        loss: the loss as the user named it, or where it is; empty where the model brings its own.
        together: whether its lanes can train in one array.
        epoch: steps of an epoch; None if the data do not tell.
        validation: whether there are validation data.
        structure: the model at width 1, a line a layer; of a program its words, and what it
            tracks; of an import what it was made of.
        scales: the model at each width.
        configs: the whole configuration of each optimizer but its rate, as JSON text, by label.
    """

    framework: str
    engine: str
    loss: str
    together: bool
    epoch: int | None
    validation: bool
    structure: tuple[str, ...]
    scales: tuple[Scale, ...]
    configs: Mapping[str, str] = field(default_factory=dict)

    def scale(self, width: float) -> Scale:
        """The model at that width."""
        return next(scale for scale in self.scales if scale.width == width)

    @staticmethod
    def of(value: Any) -> Own:
        """The facts, from themselves or from the JSON object of spec.json.

        Raises:
            StudyError: another object.
        """
        if isinstance(value, Own):
            return value
        try:
            lists = {
                "structure": tuple(map(str, value["structure"])),
                "scales": tuple(Scale(**scale) for scale in value["scales"]),
            }
            return Own(**{**value, **lists})
        except (TypeError, KeyError) as error:
            raise StudyError(f"own cannot be read ({error}): restore the file") from None


def unseen(
    framework: str,
    engine: str,
    structure: Sequence[str],
    digest: str,
    widths: Iterable[float],
    optimizers: Iterable[str],
) -> Own:
    """What is known of a program or an import, whose model nobody sees."""
    return Own(
        framework=framework,
        engine=engine,
        loss="",
        together=False,
        epoch=None,
        validation=False,
        structure=tuple(structure),
        scales=tuple(Scale(width, digest[:16], 0, 0) for width in widths),
        configs=dict.fromkeys(optimizers, ""),
    )


def other_model(there: Any, here: Any) -> str:
    """What tells the models of two studies apart, in words; empty where they are one.

    Args:
        there: the spec of the stored study.
        here: the one that is asked for.
    """
    widths = {scale.width for scale in there.own.scales}
    same = [
        there.own.scale(scale.width).start == scale.start
        for scale in here.own.scales
        if scale.width in widths
    ]
    if all(same):
        return ""
    pairs = zip(there.own.structure, here.own.structure, strict=False)
    for place, (one, other) in enumerate(pairs, 1):
        if one != other:
            return f"part {place} is {one.strip()} there, {other.strip()} here"
    lengths = len(there.own.structure), len(here.own.structure)
    if lengths[0] != lengths[1]:
        return f"it has {lengths[0]} parts there, {lengths[1]} here"
    return "its code or its first weights are others, in the same layers"


def is_own(network: object) -> bool:
    """Whether this is the network of a study of the user's own model or program.

    >>> is_own("own:0123abcd"), is_own("program:0123abcd"), is_own("compact")
    (True, True, False)
    """
    known = isinstance(network, str) and KNOWN.fullmatch(network)
    return network in (OWN, PROGRAM) or bool(known)


def is_foreign(network: object) -> bool:
    """Whether this is the network of a study that was imported, by whatever it was trained.

    >>> is_foreign("import:0123abcd"), is_foreign("program:0123abcd")
    (True, False)
    """
    return str(network).partition(":")[0] == IMPORT


def names_itself(network: object) -> bool:
    """Whether a metric is known by its own name alone: nobody knows on which data it is read."""
    return is_program(network) or is_foreign(network)


def refuse(network: object, why: str) -> None:
    """Raise `StudyError` if this is the network of programs, and say why; or that of an import."""
    refuse_import(network)
    if is_program(network):
        raise StudyError(f"{why}: their seconds are read off the clock, and nothing else is known")


def refuse_import(network: object) -> None:
    """Raise `StudyError` if this is the network of an import."""
    if is_foreign(network):
        raise StudyError("these results were imported: nothing of them is trained or timed here")


def reference(code: Any) -> str:
    """How a study tells of a piece of the user's code: as it was given, or by its name.

    >>> reference("my_model.py:build"), reference(len)
    ('my_model.py:build', 'builtins.len')
    """
    if isinstance(code, str):
        return code
    name = getattr(code, "__qualname__", type(code).__qualname__)
    return f"{getattr(code, '__module__', type(code).__module__)}.{name}"


def model_in_words(network: str, model: Any = None) -> str:
    """A network of this program, or the user's own model or program.

    Args:
        network: its name.
        model: the function that builds the user's own model, or where it is, or the command line of
            a program, if that is known.

    >>> model_in_words("compact"), model_in_words("own:0123abcd", "my_model.py:build")
    ('compact network', 'model my_model.py:build')
    """
    if is_program(network):
        return f"program {short(model) if model else network.removeprefix(f'{PROGRAM}:')}"
    if is_foreign(network):
        return f"results of {model or network}"
    return f"model {reference(model or network)}" if is_own(network) else f"{network} network"


def data_in_words(dataset: str, data: Any = None) -> str:
    """The images of this program or of a file, or the user's own data; see `model_in_words`.

    >>> data_in_words("/home/me/mine.npz"), data_in_words("own:0123abcd", "my_model.py:data")
    ('mine.npz', 'my_model.py:data')
    """
    return reference(data or dataset) if is_own(dataset) else Path(dataset).name


def trained_in_words(facts: Mapping[Any, Any], widths: str = "") -> str:
    """What trained on what: network, data and batch; of a program or an import, itself alone.

    Args:
        facts: network, dataset and batch; model, data and command where they are known.
        widths: what to say of the widths, if anything.

    >>> trained_in_words({"network": "compact", "dataset": "mnist", "batch": 100}, "width 2")
    'compact network, width 2, mnist, batch 100'
    """
    model = facts.get("model") or facts.get("command")
    parts = [model_in_words(facts["network"], model), widths]
    if not names_itself(facts["network"]):
        parts += [data_in_words(facts["dataset"], facts.get("data")), f"batch {facts['batch']}"]
    return ", ".join(filter(None, parts))


OWN_FIELDS = ("model", "data", "network", "dataset", "hyper", "optimizers", "own")
"""The fields of a spec that a model of the user's own settles together."""


USUAL = ("sgd", "adam", "adamw", "rmsprop")
"""What a model of the user's own is trained with unless the user says otherwise."""


def of_own(usual: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec in a study of the user's own model; none in another study.

    Args:
        usual: the defaults of a spec.
        given: the values of `OWN_FIELDS`.

    Raises:
        StudyError: a model without data, data without a model, or a built-in network, data set or
            set of hyper-parameters beside them.
    """
    found: dict[str, Any] = {}
    if given["own"] is not None:
        found["own"] = Own.of(given["own"])
    if given["model"] is None:
        if given["data"] is not None:
            raise StudyError("data is of a model of your own: give model, too, or dataset instead")
        return found
    if given["data"] is None:
        raise StudyError("a model of your own needs data: give the function that loads them")
    for name in ("network", "dataset"):
        value = given[name]
        if is_own(value):
            continue
        if value != usual[name]:
            raise StudyError(f"{name} {value!r} is none of your own model's: leave it out")
        found[name] = OWN
    if given["hyper"] not in (OWN, usual["hyper"]):
        raise StudyError(
            f"hyper {given['hyper']!r} is of the built-in networks: name an optimizer of your "
            "model with its settings, as in sgd(momentum=0.9)"
        )
    optimizers = given["optimizers"]
    if isinstance(optimizers, str):
        optimizers = split_labels(optimizers)
    return {
        **found,
        "hyper": OWN,
        "optimizers": USUAL if optimizers == usual["optimizers"] else optimizers,
    }
