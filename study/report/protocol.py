"""What a study did, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from study import figures
from study.spec.goals import aim, held_out, label, sign, value_of
from study.spec.own import Own, data_in_words, is_foreign, model_in_words, names_itself
from study.spec.program import is_program
from study.spec.study import StudySpec
from study.tables.rows import in_order
from study.words import counted

FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch"}


def protocol(spec: StudySpec, looks_known: bool = True) -> str:
    """What a study did, in sentences; an import does not tell how often it looked."""
    caps = [f"{spec.cap:g} seconds of training"] if spec.cap else []
    budget = " or ".join([*caps, *([f"{spec.max_steps:,} steps"] if spec.max_steps else [])])
    widths = (
        f"{len(spec.widths)} widths from {min(spec.widths):g} to {max(spec.widths):g}"
        if len(spec.widths) > 1
        else f"width {spec.widths[0]:g}"
    )
    rates = (
        f"{len(spec.rates)} learning rates from {float(min(spec.rates)):g} to "
        f"{float(max(spec.rates)):g}"
    )
    shape = "" if spec.schedule == "constant" else f" on the schedule {spec.schedule}"
    names = ", ".join(figures.label_of(name) for name in in_order(spec.optimizers))
    if is_foreign(spec.network):
        what = model_in_words(spec.network, spec.source)
        aimed = aim(spec.metric, spec.target, spec.goal, own=True)
        return (
            f"The {what} ({widths}) were trained elsewhere, with {names} at {rates}. Read by the "
            f"metric {label(spec.metric, own=True)}, they have {aimed} to reach, and a trial that "
            "did not is censored at its own end."
        )
    program = is_program(spec.network)
    looks = f", looked at every {spec.check_every} steps" if looks_known and not program else ""
    on = (
        "ran"
        if program
        else f"was trained on {data_in_words(spec.dataset, spec.data)} in batches of {spec.batch}"
    )
    return (
        f"The {model_in_words(spec.network, spec.source)} ({widths}) {on} "
        f"with {names} at {rates}{shape}, "
        f"{counted(spec.seeds, 'seed')} each, until its {_metric(spec)} "
        f"{'reached' if sign(spec.goal) > 0 else 'fell to'} "
        f"{value_of(spec.metric, spec.target, digits=6)}{looks}; it was given up after {budget}."
        f"{_of_own(spec, spec.own) if spec.own else ''}"
    )


def _metric(spec: StudySpec) -> str:
    """The metric, and when it was taken."""
    if names_itself(spec.network):
        return label(spec.metric, own=True)
    if spec.metric == "cumulative":
        return "training accuracy since the first step"
    if spec.metric == "single":
        return "mean training accuracy of the single batches at the looks so far"
    over = "" if held_out(spec.metric) else f" over the last {spec.check_every} steps"
    return f"{label(spec.metric)}{over}"


def _of_own(spec: StudySpec, own: Own) -> str:
    """What a model or program of the user's own is, as one more sentence."""
    if is_program(spec.network):
        return f" Its command line is: {spec.command}"
    weights = [own.scale(width).weights for width in spec.widths]
    least, most = min(weights), max(weights)
    size = f"{least:,} to {most:,}" if least < most else f"{least:,}"
    loss = f"the loss {spec.loss}" if spec.loss else "its own loss"
    framework = FRAMEWORKS.get(own.framework, own.framework)
    return f" It is a {framework} model of {size} weights with {loss}."


@dataclass(frozen=True)
class Folded:
    """Lines that are shown to those who ask for them, and their title."""

    title: str
    lines: list[str]


def folded(spec: StudySpec) -> list[Folded]:
    """The structure of a model of the user's own, and its optimizers' settings; else nothing."""
    own = spec.own
    if own is None:
        return []
    if is_foreign(spec.network):
        return [Folded("What it was imported from", list(own.structure))]
    if is_program(spec.network):
        return [
            Folded(
                "The command line, word by word, and the files that are tracked",
                list(own.structure),
            )
        ]
    settings = [f"{name}: {own.configs[name]}" for name in in_order(spec.optimizers)]
    return [
        Folded("The model at width 1, layer by layer", list(own.structure)),
        Folded("The settings of its optimizers", settings),
    ]
