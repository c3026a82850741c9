"""What a study says of itself: that nothing arrived, that the machine was busy."""

from __future__ import annotations

from dataclasses import replace

from study import tables
from study.storage.records import Outcome
from support.known import made_up, sparse


def test_a_study_in_which_nothing_arrived_says_why() -> None:
    """Outcomes, the nearest trial, the budget, and what would show more."""
    capped = tables.frame(
        [
            replace(run, outcome=Outcome.CAPPED, best_accuracy=0.3 + i / 100)
            for i, run in enumerate(made_up())
        ]
    )
    (why,) = tables.unreached(capped)
    top = capped.sort_values("best_accuracy").iloc[-1]
    assert why.startswith(
        f"no trial reached 97 % ({len(capped)} capped); the best was {top['optimizer']} at "
        f"{top['learning_rate']:.3g} with "
    )
    assert "(--cap 20), or a lower --target, in another --out" in why
    assert why in tables.warnings(capped)
    dead = tables.frame(
        [replace(run, outcome=Outcome.DIVERGED, best_accuracy=None) for run in made_up()]
    )
    assert tables.unreached(dead) == [
        f"no trial reached 97 % ({len(dead)} diverged): other --rates would show more"
    ]
    assert tables.unreached(tables.frame(made_up())) == []
    assert tables.unreached(capped.iloc[:0]) == []
    (why,) = tables.unreached(tables.frame(sparse()))
    assert why.startswith("no rate reached 97 % in the median of its seeds (35 capped, 1 reached)")


def test_rows_of_a_busy_machine_or_an_unknown_kind_are_said_to_be_such() -> None:
    """Those of them that are, and only in the warnings of a table that holds them."""
    fine = made_up()
    assert tables.busy(tables.frame(fine)) == ""
    assert not tables.kind_unknown(tables.frame(fine))
    some = tables.frame(
        [
            replace(run, quiet=i > 2, processor=None if i == 5 else "1.2.3")
            for i, run in enumerate(fine)
        ]
    )
    said = tables.warnings(some)
    assert tables.busy(some).endswith(
        f"the seconds of 3 of {len(fine)} trials may be too long, the steps are right"
    )
    assert tables.busy(some) in said
    assert any(
        sentence.startswith("the kind of processor of test-machine was not told apart")
        for sentence in said
    )
    alone = tables.frame(
        [replace(run, quiet=False, trial=replace(run.trial, mode="alone")) for run in fine]
    )
    assert tables.busy(alone) == (
        f"other programs ran while they trained: the seconds of all {len(fine)} trials may "
        "be too long, the steps are right"
    )
    unseen = tables.frame([replace(run, quiet=None) for run in fine])
    assert tables.busy(unseen) == "", "nobody looked"
