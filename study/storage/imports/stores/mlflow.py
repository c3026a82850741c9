"""Runs in a local store of MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from study.errors import StudyError, first_line
from study.storage.imports.sheets import Sheet


def runs_in(folder: Path) -> list[Sheet]:
    """The rows of each run of all experiments.

    Raises:
        StudyError: MLflow is not installed, or cannot read them.
    """
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise StudyError(
            f"{folder}: MLflow's stores are read by mlflow: pip install mlflow"
        ) from None
    try:
        client = MlflowClient(tracking_uri=folder.resolve().as_uri())
        experiments = [one.experiment_id for one in client.search_experiments()]
        runs = [run for one in experiments for run in _runs(client, one)]
        sheets = [_of_run(folder, client, run) for run in runs]
    except Exception as error:  # of whatever lies under the store
        raise StudyError(f"{folder} cannot be read by mlflow: {first_line(error)}") from None
    return [sheet for sheet in sheets if sheet.rows]


def _runs(client: Any, experiment: str) -> list[Any]:
    """All runs of an experiment, page by page, the oldest first."""
    found: list[Any] = []
    page = client.search_runs([experiment], order_by=["attributes.start_time ASC"])
    found += page
    while page.token:
        page = client.search_runs(
            [experiment], order_by=["attributes.start_time ASC"], page_token=page.token
        )
        found += page
    return found


def _of_run(folder: Path, client: Any, run: Any) -> Sheet:
    """A row a step; seconds count from the run's start."""
    start = run.info.start_time
    same = {**run.data.params, "trial": run.info.run_id, "state": run.info.status}
    steps: dict[int, dict[str, Any]] = {}
    for name in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, name):
            seconds = (point.timestamp - start) / 1000
            row = steps.setdefault(point.step, {"seconds": seconds})
            row |= {name: point.value, "seconds": max(row["seconds"], seconds)}
    told = dict.fromkeys(run.data.metrics, "")
    rows = [{**same, "step": step, **steps[step]} for step in sorted(steps)]
    if set(steps) == {0}:  # values without a step
        rows = [{name: value for name, value in row.items() if name != "step"} for row in rows]
    return Sheet(str(folder), rows, one=True, goals=told)
