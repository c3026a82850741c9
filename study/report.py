"""One self-contained HTML file on stored studies: a notebook is run on them, and its outputs become a page without input cells.

The notebook is `study/data/report.ipynb`; each of its cells shows one section, which is a function here.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from study import claims as module
from study import contest, cycles, figures, figures_methods, fits, statistics, tables
from study.errors import StudyError
from study.spec import StudySpec
from study.store import Store

TEMPLATE = Path(__file__).parent / "data" / "report.ipynb"

ALT = {
    "valley": "Seconds of training against learning rate, both logarithmic, a curve an optimizer; above it how each other trial ended",
    "envelope": "The fastest and the slowest optimizer's seconds at each learning rate",
    "profile": "Share of each optimizer's trials that arrive within a multiple of the fastest time",
    "curves": "Validation accuracy against seconds of training, a curve an optimizer at its best rate",
    "size": "Seconds of training against weights at one rate, a dot a trial, with its straight line",
    "sizes": "Seconds of training against weights at every rate, each with its straight line",
    "size-valley": "Seconds of training against learning rate, a curve for each model size",
    "slopes": "Seconds for each million weights more, against learning rate, with 95 % intervals",
    "size-parts": "Steps to the target against weights at every rate; below, milliseconds of a step against weights",
}
"""What each figure shows, for those who do not see it."""

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; margin: 0; overflow-wrap: anywhere; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
h3 { font-size: 1.05rem; }
img { max-width: 100%; height: auto; display: block; } figure { margin: 1rem 0; } figcaption { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e5e5e5; text-align: left; vertical-align: top; overflow-wrap: normal; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.holds { color: #05641c; font-weight: 600; } .fails { color: #a11212; font-weight: 600; } .undecided { color: #6b5200; font-weight: 600; }
.note { background: #fff6dd; border-left: 4px solid #d9a400; padding: .4rem .8rem; margin: .5rem 0; }
code, pre { font-size: .85rem; background: #f4f4f4; padding: .1rem .25rem; } pre { padding: .6rem; white-space: pre-wrap; }
@media (max-width: 48rem) {
  .cards thead { display: none; } .cards tr { display: block; border-top: 2px solid #999; padding: .4rem 0; }
  .cards td, .cards td.number { display: block; border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  .cards td:not([data-is=claim])::before { content: attr(data-is) ": "; color: #666; }
}
@media print { main { max-width: none; padding: 0; } figure, tr { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: 8pt; } }
"""


def write(folders: Sequence[str | Path], out: str | Path) -> Path:
    """Write the report on these studies, and on the contests and case studies of cycles among the folders; return its path.

    Raises:
        StudyError: no study's folder, one that holds nothing of the kind or no finished trial, a place that cannot be written to, or a
            section that failed; or what makes the page is not installed.
    """
    try:
        import nbclient
        from nbconvert import HTMLExporter
        from papermill.iorw import load_notebook_node
        from papermill.parameterize import parameterize_notebook
        from traitlets.config import Config
    except ImportError as error:
        raise StudyError(f"the report needs {error.name}: pip install ipykernel nbclient nbconvert papermill") from None

    if not folders:
        raise StudyError("name at least one study's folder")
    found = {folder: module.evidence(folder) for folder in folders}
    ways = [folder for folder, one in found.items() if isinstance(one, module.Rows)]
    folders = [folder for folder in folders if folder not in ways]
    if not folders:
        raise StudyError("name at least one study's folder beside those of contests and cycles")
    for folder in folders:
        tables.comparable(tables.load(folder), folder)
    out = Path(out)
    if out.is_dir():
        raise StudyError(f"{out} is a folder: give --out the name of a file, such as {out / 'report.html'}")
    with tempfile.TemporaryDirectory() as scratch, _jupyter_in(Path(scratch)):
        given = {"folders": [str(Path(folder).resolve()) for folder in folders], "names": [str(folder) for folder in folders]}
        given |= {"ways": [str(Path(way).resolve()) for way in ways], "way_names": [str(way) for way in ways]}
        notebook = parameterize_notebook(load_notebook_node(str(TEMPLATE)), given)
        # A socket in the scratch folder: nothing listens on a port.
        config = Config({"KernelManager": {"transport": "ipc", "ip": f"{scratch}/kernel"}})
        try:
            nbclient.NotebookClient(notebook, kernel_name="python3", config=config, timeout=None).execute()
        except nbclient.exceptions.CellExecutionError as error:
            raise StudyError(f"the report could not be made: {error.ename}: {error.evalue}") from None
        exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
        body, _ = exporter.from_notebook_node(notebook)
    title = html.escape(", ".join(Store(Path(folder)).spec().name for folder in folders))
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>Learning rates: {title}</title>\n<style>{STYLE}</style>'
    )
    page = f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n'
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    return out


@contextmanager
def _jupyter_in(scratch: Path) -> Iterator[None]:
    """Jupyter's own files go to a scratch folder, and the kernel finds this package wherever it was started from."""
    root = str(Path(__file__).parent.parent)
    places = {name: str(scratch / name.lower()) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    places["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    before = {name: os.environ.get(name) for name in places}
    os.environ.update(places)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def summary(folders: Sequence[str], names: Sequence[str]) -> str:
    """The head: what was studied, and the protocol of each study in words."""
    parts = ["<h1>Which learning rate, with which optimizer?</h1>"]
    for folder, name in zip(folders, names, strict=True):
        runs, spec = tables.load(folder), Store(Path(folder)).spec()
        stored = int(runs["id"].isin([trial.id for trial in spec.trials()]).sum())
        machine, versions = runs["machine"].iloc[0], Store(Path(folder)).runs()[0].versions
        told = ", ".join(f"{key} {value}" for key, value in versions.items())
        parts.append(
            f"<h2>{_text(spec.name)}</h2><p>{_text(protocol(spec))}</p>"
            f"<p>{stored} of {len(spec)} trials are stored in <code>{_text(name)}</code>. "
            f"Machine: {_text(machine)} ({_text(told)}). Seconds are {_text(_clock(runs))}.</p>"
        )
    return "".join(parts)


def protocol(spec: StudySpec) -> str:
    """What a study did, in sentences."""
    caps = [f"{spec.cap:g} seconds of training"] if spec.cap else []
    budget = " or ".join([*caps, *([f"{spec.max_steps:,} steps"] if spec.max_steps else [])])
    kinds = {
        "window": f"training accuracy over the last {spec.check_every} steps",
        "cumulative": "training accuracy since the first step",
        "validation": "validation accuracy",
    }
    widths = f"{len(spec.widths)} widths from {min(spec.widths):g} to {max(spec.widths):g}"
    network = f"{spec.network} network ({widths})" if len(spec.widths) > 1 else f"{spec.network} network (width {spec.widths[0]:g})"
    rates = f"{len(spec.rates)} learning rates from {float(min(spec.rates)):g} to {float(max(spec.rates)):g}"
    shape = "" if spec.schedule == "constant" else f" on the schedule {spec.schedule}"
    names = ", ".join(figures.LABELS[name] for name in spec.optimizers)
    return (
        f"The {network} was trained on {Path(spec.dataset).name} in batches of {spec.batch} with {names} at {rates}{shape}, "
        f"{_count(spec.seeds, 'seed')} each, until its {kinds[spec.metric]} reached {100 * spec.target:g} %, looked at every "
        f"{spec.check_every} steps; it was given up after {budget}."
    )


def best_rates(folders: Sequence[str]) -> str:
    """The table of best rates of each study, with intervals where there are seeds enough."""
    parts = ["<h2>Best rates</h2>"]
    for folder in folders:
        runs = tables.load(folder)
        table = tables.best(runs)
        if table["width"].nunique() > figures.MOST_WIDTHS:
            ends = sorted(set(table["width"]))
            table = table[table["width"].isin([ends[0], ends[len(ends) // 2], ends[-1]])]
        rows = [
            {
                "optimizer": figures.LABELS[str(row.optimizer)],
                "width": f"{row.width:g}",
                "rates that work": f"{row.arrived} of {row.rates}",
                "from": _number(row.lowest),
                "to": _number(row.highest),
                "best rate": _interval(row.best_rate, row.best_low, row.best_high),
                "seconds": _interval(row.seconds, row.seconds_low, row.seconds_high),
                "steps": _number(row.steps),
                "decades within 2x": _interval(row.decades, row.decades_low, row.decades_high),
            }
            for row in _rows(table)
        ]
        parts.append(f"<h3>{_text(Store(Path(folder)).spec().name)}</h3>{_table(rows)}")
    return "".join(parts) + (
        "<p>A rate works if more than half of its seeds reach the target. Brackets: 95 % bootstrap intervals over the seeds. "
        "The last column is the width of the valley: decades of rate that take at most twice the best time.</p>"
    )


def drawings(folder: str) -> str:
    """Every figure of a study, each with an alternative text."""
    runs = tables.load(folder)
    parts = [f"<h2>Figures: {_text(Store(Path(folder)).spec().name)}</h2>"]
    for name, figure in figures.draw(runs, tables.curves(folder)).items():
        kind = max((kind for kind in ALT if name.startswith(kind)), key=len)
        of = name[len(kind) + 1 :].replace("-", " ")
        parts.append(picture(figure, f"{ALT[kind]} ({of})" if of else ALT[kind]))
    return "".join(parts)


def picture(figure: Figure, alt: str) -> str:
    """A figure as an image inside the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<figure><img alt="{_text(alt)}" src="data:image/png;base64,{data}"><figcaption>{_text(alt)}.</figcaption></figure>'


def lines(folders: Sequence[str]) -> str:
    """The fits of time against size, of each study that has sizes."""
    parts = []
    for folder in folders:
        runs = tables.load(folder)
        if runs["width"].nunique() < statistics.FEWEST_SIZES:
            continue
        table = tables.sizes(runs)
        rows = [
            {
                "optimizer": figures.LABELS[str(row.optimizer)],
                "rate": f"{row.rate:g}",
                "arrived": f"{row.arrived} of {row.trials}",
                "c, s": _interval(row.c, row.c_low, row.c_high),
                "k, s per million": _interval(1e6 * row.k, 1e6 * row.k_low, 1e6 * row.k_high),
                "R²": _number(row.r2),
                "robust k": _number(1e6 * row.robust_k),
                "censored k": _interval(1e6 * row.tobit_k, 1e6 * row.tobit_k_low, 1e6 * row.tobit_k_high),
                "AICc of quadratic, power": "-" if math.isnan(row.k) else f"{row.quadratic:+.1f}, {row.power:+.1f}",
                "shape": row.shape if isinstance(row.shape, str) else "-",
            }
            for row in _rows(table)
        ]
        words = "".join(f"<li>{_text(fits.sentence(row))}</li>" for row in _rows(table))
        parts.append(f"<h3>{_text(Store(Path(folder)).spec().name)}</h3>{_table(rows)}<ul>{words}</ul>")
        for measure, unit in (("steps", "steps"), ("step_seconds", "seconds a step")):
            if runs[measure].notna().any():
                apart = tables.sizes(runs, t=measure).dropna(subset="k")
                found = [
                    f"{'' if math.isnan(row.rate) else f'at {row.rate:g} '}{row.shape} ({1e6 * row.k:.3g} per million, R² {row.r2:.2f})"
                    for row in _rows(apart)
                ]
                shapes = ", ".join(found) or "too few arrived"
                parts.append(f"<p>{_text(unit.capitalize())} against weights: {_text(shapes)}.</p>")
    if not parts:
        return ""
    return (
        f"<h2>Time against model size</h2>{''.join(parts)}"
        "<p>time = c + k n, n weights. By least squares on the trials that arrived, intervals by resampling sizes and seeds; robust: "
        "Huber's; censored: with the trials that ran out of time as only known to be longer (Tobit). The AICc is relative to the line's; "
        f"another shape holds where it is lower by more than {fits.ENOUGH:g}.</p>"
    )


def choosing(folder: str) -> str:
    """A contest of the ways of choosing a rate, or the case study of cycles: its summary and figures."""
    found = module.evidence(folder)
    assert isinstance(found, module.Rows)
    if found.kind == "cycles":
        drawn, table = figures_methods.cycles(found.table), cycles.summary(found.table)
        head, said = "Cyclical rates and their controls", cycles.conclusion(found.table)
        pictures = picture(drawn, "Test error over the seconds of training, and at its end, with and without a cycle")
    else:
        table = contest.summary(found.table).drop(columns=["regret_q25", "regret_q75"])
        head = "Ways of choosing a rate"
        said = "Regret is the time to the target at the pick over the time at the grid's best rate; none where most picks never arrive."
        drawn = figures_methods.costs(found.table, table)
        pictures = picture(drawn, "Share of picks that train, their regret, and the seconds of the search")
    rows = [{str(column): _cell(value) for column, value in row.items()} for row in table.to_dict("records")]
    return f"<h2>{_text(head)}</h2><p>{_text(said)}</p>{pictures}{_table(rows)}"


def _cell(value: object) -> str:
    return _number(float(value)) if isinstance(value, (int, float)) else str(value)


def verdicts(folders: Sequence[str]) -> str:
    """The claims, each with its verdict beside what the published study measured."""
    rows = []
    for verdict in module.judge(folders):
        claim = module.CLAIMS[verdict.id]
        rows.append(
            {
                "claim": f"<b>{_text(verdict.id)}</b>: {_text(claim.text)}",
                "verdict": f'<span class="{verdict.verdict}">{verdict.verdict}</span>',
                "statistic": _interval(verdict.statistic, verdict.low, verdict.high),
                "threshold": _number(verdict.threshold),
                "why": _text(verdict.reason),
                "published": _text(claim.published),
            }
        )
    return f"<h2>The published claims, on these data</h2>{_table(rows, cards=True)}"


def notes(folders: Sequence[str]) -> str:
    """What the data are too few to say."""
    said = [f"{Store(Path(folder)).spec().name}: {sentence}" for folder in folders for sentence in _notes(folder)]
    if not said:
        return ""
    return "<h2>Warnings</h2>" + "".join(f'<p class="note">{_text(sentence)}</p>' for sentence in said)


def _notes(folder: str) -> list[str]:
    return tables.warnings(tables.load(folder), Store(Path(folder)).spec(), tables.curves(folder))


def rebuild(names: Sequence[str], ways: Sequence[str] = ()) -> str:
    """The commands that make this page again."""
    names = [shlex.quote(name) for name in names]
    listed = " ".join([*names, *(shlex.quote(way) for way in ways)])
    commands = [*(f"scripts/run tables {name} && scripts/run figures {name}" for name in names), f"scripts/run claims {listed}"]
    text = "\n".join([*commands, f"scripts/run report {listed}"])
    return f"<h2>How to rebuild it</h2><p>From the stored trials, without training:</p><pre>{_text(text)}</pre>"


def _table(rows: Sequence[dict[str, str]], cards: bool = False) -> str:
    """Rows of texts as an HTML table in a box of its own width; numbers stand to the right. As `cards`, for cells that are HTML already, a
    row becomes a card on a narrow screen."""
    frame = pd.DataFrame(rows)
    head = "".join(f"<th>{_text(column)}</th>" for column in frame.columns)
    body = ""
    for row in frame.itertuples(index=False):
        cells = [str(value) if cards else _text(value) for value in row]
        places = zip(frame.columns, cells, strict=True)
        body += "<tr>" + "".join(f'<td{_kind(cell)} data-is="{_text(name)}">{cell}</td>' for name, cell in places) + "</tr>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="cards">{table}</div>' if cards else f'<div class="wide" tabindex="0">{table}</div>'


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return iter(table.itertuples())


def _kind(cell: str) -> str:
    return ' class="number"' if cell[:1] in "0123456789-+" and len(cell) < 28 else ""


def _clock(runs: pd.DataFrame) -> str:
    source = runs["seconds_source"].iloc[0]
    return "steps x the time of a step measured alone" if source == "reconstructed" else "read off the clock"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "none" if math.isinf(value) else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _interval(value: float, low: float, high: float) -> str:
    return _number(value) + ("" if math.isnan(low) or math.isnan(value) else f" [{_number(low)}, {_number(high)}]")


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)
