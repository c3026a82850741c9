"""Every claim on the studies at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from study.claims.evidence import evidence, verdicts
from study.claims.verdict import CLAIMS, Verdict
from study.errors import StudyError


def table(found: Sequence[Verdict]) -> pd.DataFrame:
    """The verdicts beside the published numbers: claim, verdict, statistic, low, high, threshold,
    published, reason.
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


def judge(folders: str | Path | Sequence[str | Path], machine: str | None = None) -> list[Verdict]:
    """Every claim's verdict on the studies in these folders.

    Args:
        folders: of studies, contests and case studies of cycles.
        machine: whose runs of the studies to take, see `tables.load`.

    Raises:
        StudyError: no folder, or one that holds no study.
    """
    if not folders:
        raise StudyError("name at least one study's folder")
    folders = [folders] if isinstance(folders, str | Path) else folders
    return verdicts([evidence(folder, machine) for folder in folders])
