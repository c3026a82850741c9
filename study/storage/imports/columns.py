"""Which column of a source is the rate, the optimizer, the step: by usual names, or as named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from study.errors import StudyError
from study.validation import choice

USUAL = {
    "rate": ("lr", "learning_rate", "rate", "learningrate", "base_lr", "init_lr"),
    "optimizer": ("opt", "optimizer", "optim", "optimiser", "optimizer_name"),
    "width": ("width",),
    "seed": ("seed", "random_seed", "rng_seed"),
    "trial": ("trial", "trial_id", "run", "run_id", "run_name", "name"),
    "step": (
        *("step", "global_step", "iteration", "iter", "_step", "training_iteration"),
        *("epoch", "epochs"),
    ),
    "seconds": (
        *("seconds", "time", "wall_time", "elapsed", "elapsed_time", "time_total_s", "_runtime"),
        *("runtime", "duration", "training_time"),
    ),
    "state": ("state", "status"),
}
"""What columns are usually called, in small letters; of several that are there the first counts."""


NONE = "none"
"""What stands for a column that is not to be used."""


METRIC = re.compile(
    r"acc|loss|err|auc|f1|score|precision|recall|perplexity|ppl|bleu|rouge|mse|mae|rmse|iou|dice"
    r"|reward|top[_-]?\d",
)
"""What the name of a metric contains."""


COUNTER = re.compile(r"time|iteration|epoch|step|pid$|episodes|duration|created|_at$")
"""What the name of a number contains that changes in training, and is no metric."""


PREFIX = re.compile(r"^(?:.*/|config\.|params?[._]|hparams?[._]|user_attrs_)")
"""What tools put before a setting's name."""


def plain(name: str) -> str:
    """A column's name in small letters, without what tools put before it.

    >>> plain("config/lr"), plain("params_Learning Rate")
    ('lr', 'learning_rate')
    """
    return re.sub(r"[\s-]+", "_", PREFIX.sub("", str(name).strip().lower()))


def metric_name(name: str) -> str:
    """A column's name as that of a metric, whose letters a study may have.

    >>> metric_name("val acc"), metric_name("eval/f1 (macro)")
    ('val_acc', 'eval/f1_macro')
    """
    return re.sub(r"[^\w./-]+", "_", str(name).strip()).strip("_")


def parse_columns(text: str) -> dict[str, str]:
    """Columns by what they are, from a text such as `rate=lr,optimizer=opt+momentum`.

    Raises:
        StudyError: a part without `=`, or an unknown word before it.
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        role, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign or not column:
            raise StudyError(f"columns {part!r} must read NAME=COLUMN, such as rate=lr")
        found[choice("name in columns", role, tuple(USUAL))] = column
    return found


def roles(names: Iterable[str], given: Mapping[str, str], place: str) -> dict[str, str]:
    """The column of each role that is there: as named, else by the usual names.

    Args:
        names: the columns of a source.
        given: columns by their roles, as the user named them; `none` for one not to be used.
        place: the source, for the error's sentence.

    Raises:
        StudyError: a column that was named is not there.
    """
    names = list(names)
    found = {}
    for role, usual in USUAL.items():
        if role in given:
            if given[role] == NONE:
                continue
            for column in given[role].split("+"):
                if column not in names:
                    listed = ", ".join(names) or "none"
                    raise StudyError(f"{place} has no column {column!r} ({role}): it has {listed}")
            found[role] = given[role]
            continue
        by_plain: dict[str, str] = {}
        for name in sorted(names, key=lambda name: plain(name) != name.lower()):
            by_plain.setdefault(plain(name), name)
        there = next((by_plain[name] for name in usual if name in by_plain), None)
        if there is not None:
            found[role] = there
    return found


def reads_like_metric(name: str) -> bool:
    """Whether a column's name is one that metrics have."""
    return METRIC.search(str(name).lower()) is not None
