"""Confirmatory is only what was fixed before; corrections count the claims of a family."""

import pytest
from planted import claim, question, records, registry, rising, trial, words

from analysis.claims import lock as locks
from analysis.claims import verdicts
from analysis.statistics.verdicts.multiplicity import benjamini_hochberg, holm
from lttune.config.rules import CLAIMS_LOCK
from lttune.errors import ConfigError, DamagedError, StorageError

BEFORE, AFTER = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"


def confirmatory(name, *questions, **changes):
    return claim(*questions, id=name, role="confirmatory", **changes)


def test_without_a_lock_nothing_is_confirmatory():
    table = verdicts(trial(accuracy=rising(0.005)), registry(confirmatory("A", question())))
    assert table["role"].tolist() == ["exploratory (not locked)"]


def test_a_changed_file_is_refused():
    one = registry(confirmatory("A", question()), claim(question(), id="B"))
    other = registry(confirmatory("A", question()), claim(question(), id="B"), sha256="b" * 64)
    rows = trial(accuracy=rising(0.005))
    locked = locks.lock(one, date=BEFORE)
    found = verdicts(rows, one, lock=locked, created=AFTER)
    assert (words(found), found["role"][0]) == (["supported", "supported"], "confirmatory")
    found = verdicts(rows, other, lock=locked, created=AFTER)
    assert words(found) == ["not tested", "supported"]
    assert found["reason"][0] == (
        "The claims file (bbbbbbbb) is not the one that was locked on 2026-01-01 (aaaaaaaa): "
        "confirmatory verdicts are refused."
    )


def test_a_lock_that_is_younger_than_the_study_is_refused():
    one = registry(confirmatory("A", question()))
    found = verdicts(trial(), one, lock=locks.lock(one, date=AFTER), created=BEFORE)
    assert words(found) == ["not tested"]
    assert "after the study began" in found["reason"][0]


def test_the_lock_plans_the_replicates():
    one = registry(confirmatory("A", question()))
    rows = trial(n=4, accuracy=rising(0.005))
    assert words(verdicts(rows, one, lock=locks.lock(one, 4, BEFORE))) == ["supported"]
    assert words(verdicts(rows, one, lock=locks.lock(one, 5, BEFORE))) == ["not tested"]


def test_other_data_confirm_nothing():
    one = registry(confirmatory("A", question()))
    rows = trial(at={"data.name": "fashion-mnist"}, accuracy=rising(0.005))
    found = verdicts(rows, one, lock=locks.lock(one, date=BEFORE))
    assert found["role"].tolist() == ["exploratory (proxy)"]
    assert found["deviates"][0] == ["data.name fashion-mnist instead of mnist"]


def test_a_family_is_corrected_by_holm_and_explorations_by_their_share_of_false_ones():
    sizes = {"A": 0.0052, "B": 0.0013, "C": 0.0011}
    rows = records(
        *(
            trial(i, at={"train.lr": 10**-i}, accuracy=rising(s), own=0.0008)
            for i, s in enumerate(sizes.values())
        )
    )
    cells = {
        name: question(cells=[{"name": name, "at": {"train.lr": 10**-i}}])
        for i, name in enumerate(sizes)
    }
    family = registry(*(confirmatory(name, one) for name, one in cells.items()))
    found = verdicts(rows, family, lock=locks.lock(family, date=BEFORE))
    assert found["p_adjusted"].tolist() == pytest.approx(list(holm(found["p"])))
    assert (found["p_adjusted"] > found["p"]).any()
    apart = registry(*(confirmatory(n, one, family=n) for n, one in cells.items()))
    found = verdicts(rows, apart, lock=locks.lock(apart, date=BEFORE))
    assert found["p_adjusted"].tolist() == pytest.approx(found["p"].tolist())
    found = verdicts(rows, family)
    assert found["p_adjusted"].tolist() == pytest.approx(list(benjamini_hochberg(found["p"])))


def test_correction_takes_verdicts_away():
    """A weak effect among eleven claims of nothing: alone it is supported, in company not."""
    claims, trials = [], []
    for i in range(12):
        at = {"train.lr": 1e-3 * (i + 1)}
        claims.append(confirmatory(f"C{i}", question(cells=[{"name": "c", "at": at}])))
        size = 0.006 if i == 0 else 0.0
        trials.append(trial(i, at=at, own=0.002, accuracy=rising(size), levels=10))
    rows = records(*trials)
    alone, family = registry(claims[0]), registry(*claims)
    found = verdicts(rows, alone, lock=locks.lock(alone, date=BEFORE)).iloc[0]
    assert found["verdict"] == "supported"
    found = verdicts(rows, family, lock=locks.lock(family, date=BEFORE)).iloc[0]
    assert found["p"] < 0.05 < found["p_adjusted"]
    assert found["verdict"] == "inconclusive"
    assert "not after the correction for the 12 claims judged with it" in found["reason"]


def test_a_lock_is_written_once(tmp_path):
    one = registry(
        confirmatory("A", question()), claim(why="No.", questions=[], setting="", id="B")
    )
    path = tmp_path / CLAIMS_LOCK
    assert locks.read_lock(path) is None
    locks.write_lock(path, locks.lock(one, date=BEFORE))
    found = locks.read_lock(path)
    assert found is not None
    assert found.plain() == {
        "sha256": "a" * 64,
        "version": "1",
        "date": BEFORE,
        "n": {"A": 6},
    }
    with pytest.raises(ConfigError, match="a lock is written once"):
        locks.write_lock(path, found)
    path.write_text('{"sha256": "a"}')
    with pytest.raises(StorageError, match="is no lock"):
        locks.read_lock(path)


def test_a_lock_whose_writing_was_cut_short_is_told_how_to_be_rid_of(tmp_path):
    one, path = registry(confirmatory("A", question())), tmp_path / CLAIMS_LOCK
    path.touch()  # As without links, when the name was taken and nothing written yet.
    told = "is empty, as writing leaves it that was cut short: remove it"
    with pytest.raises(DamagedError, match=told):
        locks.read_lock(path)
    with pytest.raises(ConfigError, match=told):
        locks.write_lock(path, locks.lock(one, date=BEFORE))
    path.unlink()
    locks.write_lock(path, locks.lock(one, date=BEFORE))
    assert locks.read_lock(path) is not None


def test_of_two_locks_at_once_the_first_stays(tmp_path, monkeypatch):
    one, path = registry(confirmatory("A", question())), tmp_path / CLAIMS_LOCK
    first, late = (locks.lock(one, date=date) for date in (BEFORE, AFTER))
    real = locks.asdict

    def overtaken(locked):
        monkeypatch.setattr(locks, "asdict", real)
        locks.write_lock(path, first)
        return real(locked)

    monkeypatch.setattr(locks, "asdict", overtaken)
    with pytest.raises(ConfigError, match="a lock is written once"):
        locks.write_lock(path, late)
    assert locks.read_lock(path) == first


LOCKED = "2026-01-10T00:00:00+00:00"


def test_networks_that_are_older_than_the_lock_are_refused():
    """A store that an earlier study filled: the new study begins after the lock all the same."""
    one = registry(
        confirmatory("A", question()),
        confirmatory(
            "B", question(cells=[{"name": "b", "at": {"train.lr": 1e-3}}]), family="another"
        ),
        claim(question(), id="C"),
    )
    rows = records(trial(accuracy=rising(0.005)), trial(1, at={"train.lr": 1e-3}))
    locked = locks.lock(one, date=LOCKED)

    def found(rows):
        return verdicts(rows, one, lock=locked, created="2026-01-11T00:00:00+00:00")

    new = rows.assign(trained="2026-01-11T08:00:00+01:00")
    assert words(found(new))[0] == "supported"
    # One network of A's is old; B reads others, and C is exploratory.
    old = new.copy()
    old.loc[(old["train.lr"] != 1e-3) & (old["replicate"] == 2), "trained"] = (
        "2026-01-09T23:59:59+00:00"
    )
    table = found(old)
    assert words(table) == ["not tested", words(found(new))[1], "supported"]
    assert table["reason"][0] == (
        "The claims were locked on 2026-01-10T00:00:00+00:00, after its oldest network was trained "
        "on 2026-01-09T23:59:59+00:00: confirmatory verdicts are refused."
    )
    # Records of older versions do not say when, or only of some networks.
    assert words(found(rows)) == words(found(new))
    some = new.copy()
    some.loc[some.index[::2], "trained"] = None
    assert words(found(some)) == words(found(new))
