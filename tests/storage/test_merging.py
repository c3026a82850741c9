"""Folders of one protocol joined: every trial once, nothing lost, the same folder every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import StudyError
from study.storage.calibration import Calibration
from study.storage.jsonl import append_line
from study.storage.merging import joined, merge
from study.storage.records import Outcome, Run
from study.storage.step_times import key_of, read
from study.storage.store import Store
from support.parabola import MACHINE, calibrated
from support.parts import SPEC, TRIALS, curve, failed, files, ids, part
from support.paths import V1
from support.records import after


def test_folders_are_joined_with_all_that_belongs_to_their_trials(tmp_path: Path) -> None:
    """Rows in the order of the folders, bit for bit, with checks, curves, step times and time."""
    other = replace(MACHINE, cores=4)
    one, two = part(tmp_path / "1", TRIALS[:2]), part(tmp_path / "2", TRIALS[2:5], machine=other)
    out = Store(tmp_path / "out")
    done = merge([one, two], out)
    assert (done.added, done.duplicates, done.agreeing, done.replaced) == (5, 0, 0, 0)
    assert done.missing == (TRIALS[5],)
    assert out.runs() == [*one.runs(), *two.runs()]
    assert out.runs_path.read_bytes() == one.runs_path.read_bytes() + two.runs_path.read_bytes()
    assert out.checks() == one.checks() | two.checks()
    assert out.curves() == [*one.curves(), *two.curves()]
    assert out.spent() == [*one.spent(), *two.spent()]
    times = [read(store.folder / "calibration.json") for store in (out, two, one)]
    assert times[0] == [*times[1], *times[2]]
    assert out.spec() == SPEC
    assert out.digest() == "d"
    assert out.reference() == one.reference(one.runs())
    assert out.machine() == one.machine()


def test_a_merge_that_is_repeated_changes_no_byte(tmp_path: Path) -> None:
    """Not with more, fewer or the same folders, nor in another order; what is new comes last."""
    one, two, three = (part(tmp_path / str(i), TRIALS[2 * i : 2 * i + 2]) for i in range(3))
    out = Store(tmp_path / "out")
    merge([one, two], out)
    before = files(out.folder)
    for again in ([one, two], [two, one], [two], [one, one, out], [out]):
        done = merge(again, out)
        assert done.added == 0
        assert done.agreeing == done.duplicates
        assert files(out.folder) == before
    assert merge([three, one], out).added == 2
    assert out.runs_path.read_bytes().startswith(before["runs.jsonl"])
    assert len(out.spent()) == 3
    whole = merge([out], Store(tmp_path / "copy"))
    assert (whole.added, whole.missing) == (6, ())
    assert len(Store(tmp_path / "copy").spent()) == 3


def test_one_of_the_folders_may_be_added_to(tmp_path: Path) -> None:
    """Its own rows stay first."""
    one, two = part(tmp_path / "1", TRIALS[:2]), part(tmp_path / "2", TRIALS[1:4])
    done = merge([two, one], one)
    assert (done.added, done.duplicates) == (2, 1)
    assert ids(one) == [trial.id for trial in TRIALS[:4]]
    assert len(one.spent()) == 2


def test_the_first_folders_row_stays_and_duplicates_are_counted(tmp_path: Path) -> None:
    """Those that agree in outcome and steps, and those that do not."""
    one, two = part(tmp_path / "1", TRIALS[:3]), part(tmp_path / "2", TRIALS[:3])
    three = part(tmp_path / "3", TRIALS[1:4])  # whose steps are others
    done = merge([one, two, three], Store(tmp_path / "out"))
    assert (done.added, done.duplicates, done.agreeing, done.replaced) == (4, 5, 3, 0)
    assert Store(tmp_path / "out").runs()[:3] == one.runs()


@pytest.mark.parametrize("first", [True, False])
def test_a_failed_run_gives_way_to_one_that_did_not_fail(tmp_path: Path, first: bool) -> None:
    """Wherever it stands; two failed ones are one."""
    bad = failed(TRIALS[:3], tmp_path / "bad")
    good = part(tmp_path / "good", TRIALS[1:2])
    out = Store(tmp_path / "out")
    done = merge([bad, good] if first else [good, bad], out)
    assert done.replaced == int(first)
    ends = {run.id: run.outcome for run in out.runs()}
    assert ends == {
        TRIALS[0].id: Outcome.FAILED,
        TRIALS[1].id: Outcome.REACHED,
        TRIALS[2].id: Outcome.FAILED,
    }
    assert len(ids(out)) == 3
    again = part(tmp_path / "again", TRIALS[:1])
    assert merge([bad, again], out).replaced == 1
    assert [run.outcome for run in out.runs()].count(Outcome.FAILED) == 1
    before = files(out.folder)
    merge([bad, again, good], out)
    assert files(out.folder) == before


def test_clocks_do_not_matter(tmp_path: Path) -> None:
    """Rows that were stamped by a clock years ahead, or behind, stand where they would."""
    orders = []
    for name, stamp in (("a", "1970-01-01T00:00:00+00:00"), ("b", "2100-01-01T00:00:00+00:00")):
        one = part(tmp_path / name / "1", TRIALS[3:], started_at=stamp)
        two = part(tmp_path / name / "2", TRIALS[:4])
        out = Store(tmp_path / name / "out")
        merge([one, two], out)
        orders.append(ids(out))
    assert orders[0] == orders[1] == [trial.id for trial in (*TRIALS[3:], *TRIALS[:3])]


def test_grids_are_joined_in_the_order_of_the_first(tmp_path: Path) -> None:
    """What then is missing is of the joined grid."""
    grown = SPEC.with_(name="grown", rates=(0.3, 0.05, 0.1), optimizers=("adam", "rmsprop"))
    one, two = part(tmp_path / "1"), part(tmp_path / "2", grown.trials(), grown.with_(seeds=2))
    out = Store(tmp_path / "out")
    done = merge([one, two], out)
    assert out.spec() == done.spec == joined([SPEC, grown.with_(seeds=2)])
    assert done.spec == SPEC.with_(
        optimizers=("sgd", "adam", "rmsprop"), rates=(0.1, 0.2, 0.3, 0.05), seeds=2
    )
    assert len(done.missing) == len(done.spec) - len(out.runs())
    assert merge([two, one], out).spec == done.spec


parts = st.lists(
    st.dictionaries(
        st.integers(0, 5), st.tuples(st.sampled_from(Outcome), st.integers(0, 9)), max_size=6
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=60)
@given(parts)
def test_any_folders_in_any_steps_give_every_trial_once(
    ends: list[dict[int, tuple[Outcome, int]]],
) -> None:
    """Joined at once, or one after the other: the first that did not fail counts."""
    import tempfile

    def run_of(place: int, outcome: Outcome, steps: int) -> Run:
        return after(steps, trial=TRIALS[place], outcome=outcome)

    with tempfile.TemporaryDirectory() as here:
        sources = []
        for i, some in enumerate(ends):
            store = part(Path(here) / str(i), ())
            with store.writing():
                for place, (outcome, steps) in some.items():
                    store.append(run_of(place, outcome, steps))
            sources.append(store)
        once, bit = Store(Path(here) / "once"), Store(Path(here) / "bit")
        done = merge(sources, once)
        for i in range(len(sources)):
            merge(sources[: i + 1], bit)
        assert {run.id: run for run in bit.runs()} == {run.id: run for run in once.runs()}
        assert len(ids(once)) == len(set(ids(once))) == done.added
        assert done.added + done.duplicates == sum(map(len, ends))
        for place, trial in enumerate(TRIALS):
            all_ = [some[place] for some in ends if place in some]
            good = [end for end in all_ if end[0] is not Outcome.FAILED]
            kept = [(r.outcome, r.steps) for r in once.runs() if r.id == trial.id]
            assert kept == (good or all_)[:1]


def test_a_folder_of_the_first_schema_is_joined(tmp_path: Path) -> None:
    """With the values that its later fields are taken to hold."""
    old, out = Store(V1), Store(tmp_path / "out")
    done = merge([old], out)
    assert out.runs() == old.runs()
    assert out.checks() == old.checks()
    assert done.added == len(old.runs())


def test_a_reading_that_is_there_counts_before_one_that_comes(tmp_path: Path) -> None:
    """Each machine's own, each once."""
    stores = [part(tmp_path / str(i), TRIALS[:1]) for i in range(2)]
    for store, seconds in zip(stores, (0.004, 0.008), strict=True):
        calibrated(
            Calibration([store.folder / "calibration.json"], MACHINE, "test"), TRIALS[:1], seconds
        )
    out = Store(tmp_path / "out")
    merge(stores, out)
    merge(stores[::-1], out)
    path = out.folder / "calibration.json"
    known = Calibration([path], MACHINE, "test")
    assert known.times[key_of(TRIALS[0])].seconds == 0.004
    assert len(read(path)) == len(set(read(path))) >= 3


@pytest.mark.parametrize("first", ["/data/mine.npz", "mnist"])
def test_the_same_data_at_another_path_are_the_same(tmp_path: Path, first: str) -> None:
    """Told by their digest: rows get the name that the first folder has for them, and all that
    belongs to a trial comes along; other data by the same name are refused.
    """
    here, there = (SPEC.with_(dataset=name) for name in (first, "elsewhere/mine.npz"))
    (mine, theirs) = (list(spec.trials()) for spec in (here, there))
    one, two = part(tmp_path / "1", mine[:3], here), part(tmp_path / "2", theirs[2:5], there)
    out = Store(tmp_path / "out")
    done = merge([one, two], out)
    assert (done.added, done.duplicates, len(done.missing)) == (5, 1, len(mine) - 5)
    assert [run.trial for run in out.runs()] == mine[:5]
    assert set(out.checks()) == {trial.id for trial in mine[:5]}
    assert {curve.id for curve in out.curves()} == {mine[0].id, mine[2].id}
    again = out.runs_path.read_bytes()
    assert merge([two, one], out).added == 0
    assert out.runs_path.read_bytes() == again
    assert merge([two], one).added == 2
    assert one.spec().dataset == first
    with pytest.raises(StudyError, match="dataset_md5 is d in the first and e in"):
        merge([one, part(tmp_path / "3", mine, here, digest="e")], Store(tmp_path / "other"))


def test_equal_lines_of_time_are_kept_as_often_as_the_folder_that_has_most(tmp_path: Path) -> None:
    """Two processes may have spent the same; the same line in two folders is one process's."""
    line, other = {"seconds": {"train": 1.0}}, {"seconds": {"train": 2.0}}
    stores = []
    for name, lines in enumerate(([line], [line, other, line], [line, line], [])):
        stores.append(part(tmp_path / str(name), ()))
        stores[-1].spent_path.write_bytes(b"")
        for each in lines:
            append_line(stores[-1].spent_path, each)
    out = Store(tmp_path / "out")
    for sources in (stores, stores[::-1]):
        merge(sources, out)
        told = [row.seconds["train"] for row in out.spent()]
        assert told == [1.0, 2.0, 1.0]


def test_a_curve_is_added_where_there_is_none_of_its_machine(tmp_path: Path) -> None:
    """What is there stays."""
    one, two = part(tmp_path / "1", TRIALS[:1]), part(tmp_path / "2", TRIALS[:1])
    mine = {**curve(TRIALS[0], "m"), "span": 1.0}
    theirs = [{**mine, "span": 2.0}, {**mine, "fingerprint": "n"}]
    one.write_curves([mine])
    two.write_curves(theirs)
    before = one.curves_path.stat().st_ino
    merge([part(tmp_path / "3", ())], one)
    assert one.curves_path.stat().st_ino == before, "nothing new, nothing written"
    merge([two], one)
    assert [(each.fingerprint, each.span) for each in one.curves()] == [("m", 1.0), ("n", 1.0)]


@pytest.mark.parametrize("kept", [True, False])
def test_the_machine_is_the_first_that_is_known(tmp_path: Path, kept: bool) -> None:
    """That of the folder to add to stays, if it has one."""
    stores = [part(tmp_path / str(i), (), machine=replace(MACHINE, cores=i)) for i in range(3)]
    stores[1].machine_path.unlink()
    out = stores[0] if kept else Store(tmp_path / "out")
    merge(stores[1:], out)
    assert out.machine()["cores"] == (0 if kept else 2)
    nowhere = Store(tmp_path / "nowhere")
    merge(stores[1:2], nowhere)
    assert nowhere.machine() == {}


def test_checks_that_are_there_already_are_not_added_again(tmp_path: Path) -> None:
    """As a merge that was killed leaves them; other ones of the same trial come behind them."""
    one, out = part(tmp_path / "1", TRIALS[:3]), Store(tmp_path / "out")
    lines = one.checks_path.read_bytes().splitlines(keepends=True)
    out.folder.mkdir()
    spoilt = lines[1].replace(b"0.98", b"0.97")
    out.checks_path.write_bytes(lines[0] + spoilt)
    merge([one], out)
    assert out.checks_path.read_bytes() == b"".join([lines[0], spoilt, *lines[1:]])
    assert out.checks() == one.checks()


def test_checks_and_curves_without_a_run_take_no_new_name(tmp_path: Path) -> None:
    """They belong to no trial, so nobody knows the id that they would have."""
    there = SPEC.with_(dataset="there.npz")
    (mine, theirs) = (list(spec.trials()) for spec in (SPEC, there))
    one, two = part(tmp_path / "1", mine[:1]), part(tmp_path / "2", theirs[:2], there)
    lines = two.runs_path.read_bytes().splitlines(keepends=True)
    two.runs_path.write_bytes(lines[1])
    out = Store(tmp_path / "out")
    merge([one, two], out)
    assert ids(out) == list(out.checks()) == [trial.id for trial in mine[:2]]
    assert [each.id for each in out.curves()] == [mine[0].id]
