"""Claims on ways of choosing a rate."""

from __future__ import annotations

import pandas as pd

from study.claims.evidence import Known, meant_in, rows_of
from study.claims.verdict import Verdict, claim, decide, miss, no_evidence
from study.storage.records import Outcome
from study.tables import case_study, intervals
from study.words import counted


@claim(
    "tenth-rule",
    "a tenth of the rate of least loss in a finder's sweep is a rate that works, for each "
    "optimizer",
    "one figure, Adam on Fashion-MNIST",
)
def tenth_rule(id: str, studies: Known) -> Verdict:
    """The optimizers at which most seeds' picks train to the target, all six."""
    contest = rows_of(studies, "contest")
    meant = meant_in(studies) if contest is None else contest.meant
    threshold = len(meant) - 0.5
    rows = pd.DataFrame() if contest is None else contest.table
    mine = rows[(rows["method"] == "finder") & (rows["rule"] == "tenth")] if len(rows) else rows
    if mine.empty:
        return no_evidence(
            id, threshold, "no contest has the finder's tenth rule: such as `contest DIR`"
        )
    seeds = mine["seed"].nunique()
    reached = (mine["outcome"] == Outcome.REACHED).groupby(mine["optimizer"]).sum()
    failed = (mine["outcome"] != Outcome.REACHED).groupby(mine["optimizer"]).sum()
    state = {
        name: (1 if 2 * reached[name] > seeds else -1 if 2 * failed[name] >= seeds else 0)
        for name in reached.index
    }
    works = sum(value == 1 for value in state.values())
    possible = len(meant) - sum(value == -1 for value in state.values())
    if seeds < intervals.FEWEST_SEEDS:
        return no_evidence(
            id, threshold, f"{counted(seeds, 'seed')}: whether a pick works may be luck"
        )
    counts = ", ".join(
        f"{name} {reached[name]} of {seeds}" for name in meant if name in reached.index
    )
    return decide(
        id, works, works, possible, threshold, f"picks that train to the target: {counts}"
    )


@claim(
    "clr-gain",
    "most of what the case study of cyclical rates gains in test error is the cycle's",
    "1.91 to 1.64 %, its second run carrying on from the first",
)
def clr_gain(id: str, studies: Known) -> Verdict:
    """The cycle's gain less half of the second run's gain over the first, in points: above zero."""
    found = rows_of(studies, "cycles")
    if found is None or found.table["seed"].nunique() < intervals.FEWEST_SEEDS:
        return no_evidence(
            id, 0.0, f"no case study of {intervals.FEWEST_SEEDS} seeds: such as `cycles --out DIR`"
        )
    rows = found.table
    whole, cycle = (
        case_study.gain(rows, case_study.PUBLISHED, case_study.FIRST),
        case_study.gain(rows, case_study.PUBLISHED, case_study.CONTROL_ON),
    )
    last = case_study.final(rows).dropna()
    # (on - published) - (first - published) / 2, seed by seed
    middle = (last[case_study.FIRST] + last[case_study.PUBLISHED]) / 2
    most = intervals.mean((last[case_study.CONTROL_ON] - middle).to_numpy(float), miss())
    own = f"{round(cycle.mean, 2) + 0.0:.2f} ({cycle.low:.2f} to {cycle.high:.2f})"
    reason = f"of {whole.mean:.2f} points that the second run gains {own} are the cycle's"
    return decide(id, most.mean, most.low, most.high, 0.0, f"{reason}, {whole.count} seeds")


@claim("windows-equal", "triangular, Welch and Hann windows do equally well", "said, not measured")
def windows_equal(id: str, studies: Known) -> Verdict:
    """The largest difference of two windows' test errors in points, below a tenth of a point."""
    found = rows_of(studies, "cycles")
    if found is None or found.table["seed"].nunique() < intervals.FEWEST_SEEDS:
        return no_evidence(
            id,
            case_study.EQUAL,
            f"no case study of {intervals.FEWEST_SEEDS} seeds: such as `cycles --out DIR`",
        )
    pairs = case_study.windows(found.table, miss())
    most = max(pairs, key=lambda pair: abs(pair.mean))
    low = max(max(pair.low, -pair.high, 0.0) for pair in pairs)
    high = max(max(abs(pair.low), abs(pair.high)) for pair in pairs)
    reason = (
        f"the largest difference is {abs(most.mean):.2f} points of test error, over "
        f"{most.count} seeds"
    )
    return decide(id, abs(most.mean), low, high, case_study.EQUAL, reason, above=False)
