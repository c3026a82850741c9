"""Every claim judged on the studies in some folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from study.claims.evidence import Known, evidence, judged, studies_in, verdicts
from study.claims.frame import grid_of
from study.claims.frame_sizes import size_studies
from study.claims.verdict import CLAIMS, Verdict
from study.errors import StudyError
from study.spec.own import is_own, model_in_words
from study.tables import Source, StoredStudy
from study.tables.intervals import FEWEST_SEEDS
from study.words import counted


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts as a table, beside the published numbers.

    Args:
        found: the verdicts, as `judge` gives them.

    Returns:
        One row a claim, with the columns

        - claim: its name; says: the claim in words
        - verdict: `holds`, `fails` or `undecided`
        - statistic, low, high: what was measured, with its interval; in the claim's unit
        - threshold: what the statistic is compared with, in the same unit
        - reason: the verdict's reason, a sentence
        - published: what the published data say
    """
    return pd.DataFrame(
        [
            {
                "claim": v.id,
                "says": CLAIMS[v.id].text,
                **asdict(v),
                "published": CLAIMS[v.id].published,
            }
            for v in found
        ]
    ).drop(columns="id")


def about(known: Known) -> list[str]:
    """Sentences on what trials are read by, and on what the verdicts say of the user's own models.

    Args:
        known: what the claims are judged on, as `evidence` gives it.
    """
    specs = [study.spec for study in studies_in(known) if is_own(study.spec.network)]
    said = [sentence for study in studies_in(known) for sentence in study.said]
    grid = grid_of(judged(known))
    counts = pd.Series(dtype=int) if grid is None else grid.fresh_seeds
    if len(counts) and counts.min() < FEWEST_SEEDS:
        more = f": confirm --seeds {FEWEST_SEEDS}" if counts.min() else ""
        said.append(
            f"confirm has trained {counted(counts.min(), 'fresh seed')} of {counts.idxmin()}: the "
            f"claims take the times of fresh seeds where every optimizer has {FEWEST_SEEDS}{more}"
        )
    wide = size_studies(judged(known))
    if len(wide) > 1:
        said.append(
            f"of {len(wide)} studies of sizes the claims take the one of "
            f"{len(wide[0].spec.widths)} widths and {counted(len(wide[0].runs), 'trial')}; of the "
            "others the seeds of equal cells, where they are comparable"
        )
    models = ", ".join(dict.fromkeys(model_in_words(s.network, s.source) for s in specs))
    if not models:
        return said
    if len(specs) < len(studies_in(known)):
        return [*said, f"the claims are judged on the other studies, without the {models}"]
    return [
        *said,
        "the claims are about the article's network and its six optimizers. Here they are judged "
        f"on the {models}, with the optimizers of its study: a verdict tells whether the same is "
        "true of it, and nothing of the article",
    ]


def judge(folders: Source | Sequence[Source], machine: str | None = None) -> list[Verdict]:
    """Judge every claim on the studies in these folders.

    Args:
        folders: of studies, contests and case studies of cycles; a `StoredStudy` stands for its
            folder.
        machine: whose runs of the studies to take, see `tables.load`.

    Returns:
        The verdicts, in the order of `CLAIMS`.

    Raises:
        StudyError: no folder, or one that holds no study.
    """
    if not folders:
        raise StudyError("name at least one study's folder")
    folders = [folders] if isinstance(folders, StoredStudy | str | Path) else folders
    return verdicts([evidence(folder, machine) for folder in folders])
