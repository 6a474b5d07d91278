from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lttune.records.best import front, ranked, winners
from lttune.records.ledger import Trial
from lttune.records.objectives import ObjectiveConfig

PARETO = ObjectiveConfig(name="pareto")
numbers = st.sampled_from([0.1, 0.2, 0.4, 0.5, 0.7, 0.9])


def trials(*values: list[float] | None) -> list[Trial]:
    """Complete trials with those numbers; None is one that was stopped."""
    return [
        Trial(n, "search", "", {}, [0], [], state="complete" if v else "stopped", values=v)
        for n, v in enumerate(values)
    ]


def ids(found: list[Trial]) -> list[int]:
    return [trial.number for trial in found]


def test_the_best_comes_first_whichever_way_is_better():
    found = trials([0.2], None, [0.9], [0.2], [0.1])
    assert ids(ranked(found, ObjectiveConfig())) == [2, 0, 3, 4]
    assert ids(ranked(found, ObjectiveConfig(name="ticket_density"))) == [4, 0, 3, 2]
    assert ids(winners(found, ObjectiveConfig())) == [2]
    assert winners(trials(None), ObjectiveConfig()) == []


@settings(deadline=None)
@given(st.lists(st.tuples(numbers, numbers), max_size=12))
def test_a_front_is_whom_no_other_beats(pairs):
    every = trials(*[list(pair) for pair in pairs])
    beaten = {
        (a, d) for a, d in pairs if any((b > a and e <= d) or (b >= a and e < d) for b, e in pairs)
    }
    found = [tuple(t.values) for t in front(every, PARETO)]
    assert sorted(found) == sorted(set(pairs) - beaten)
    assert found == sorted(found, reverse=True)


def test_of_a_long_front_the_ends_and_the_knee_are_confirmed():
    # Trial 2 gives up 0.08 of 0.3 for half of the way in log density; trial 4 keeps more
    # accuracy and trial 3 is smaller, each by little for what it loses.
    every = trials([0.9, 0.5], [0.6, 0.125], [0.82, 0.25], [0.7, 0.24], [0.88, 0.45], [0.5, 0.5])
    assert ids(front(every, PARETO)) == [0, 4, 2, 3, 1]
    assert ids(winners(every, PARETO)) == [0, 2, 1]
    assert ids(winners(every[:3], PARETO)) == [0, 2, 1]
    assert ids(winners(every[:1], PARETO)) == [0]


def test_the_knee_is_sought_in_log_density():
    # By density itself, trial 1 would have nine tenths of the way for a third of the accuracy.
    every = trials([0.9, 0.5], [0.8, 0.05], [0.7, 0.01], [0.6, 0.005])
    assert ids(winners(every, PARETO)) == [0, 2, 3]
