"""List the literature's claims, lock them, say what can be decided, check and decide them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lttune.config.fields import duration_s, is_number
from lttune.config.output.escaped import say
from lttune.config.rules import CLAIMS_LOCK, Rules, every_rule
from lttune.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.claims import Claim, Registry
    from analysis.claims.lock import LockRule


MOST_PLANNED = 100_000
"""Replicates that a claim can plan."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is done, and with which claims."""

    action: Annotated[Literal["list", "lock", "power", "check", "decide"], tyro.conf.Positional]
    """list prints every claim; lock fixes the claims file before a study starts; power says which
    claims a number of replicates can decide; check prints the verdicts on studies; decide trains a
    study's replicates until its claims are decided."""
    studies: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Folders of studies, results/NAME: of check what is judged, of decide the one whose replicates
    are trained, of power and lock a pilot, whose replicates say how many a claim needs. A lock
    counts no network of its pilot as evidence."""
    file: Path | None = None
    """The claims file; None is the one that is shipped."""
    out: Path | None = None
    """Of lock: the file to write, None is claims.lock.json; keep it in the study's folder. Of
    check: a CSV of the table."""
    lock: Path | None = None
    """Of check and decide: the lock; None is claims.lock.json in the folder of the first study."""
    sd: float = 0.15
    """Of power: standard deviation over replicates of a paired difference, in percentage points;
    the pilot's counts before it."""
    sd_log: float = 0.2
    """Of power: the same of a logarithm of steps or densities."""
    n: int | None = None
    """Of power and lock: replicates of every claim; None is what each plans. With a pilot the lock
    plans as many more as a claim needs."""
    sensitivity: bool = False
    """Of check: also the verdicts at half and twice the margins and on validation accuracy."""
    sequential: bool = False
    """Of lock: whether claims are judged after each replicate, which may be added until they are
    decided; --n is then the most."""
    budget: str | None = None
    """Of decide: how long it may take, such as 2h."""
    max_n: int | None = None
    """Of decide: replicates above which none is trained; None is what was locked."""
    script: Path | None = None
    """Of decide: the study file, studies/NAME.py: code that a study's folder names is not run."""
    plan: bool = False
    """Of decide: only print what would be trained, and what it costs."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        given = " ".join(map(str, self.studies))
        with every_rule() as rules:
            ok = bool(given) or self.action != "check" or not rules.all_read
            rules.require(ok, "STUDIES", "given with check", given)
            self._check_decide(rules)
            rules.require(not given or self.action != "list", "STUDIES", "left out of list", given)
            for name in ("sd", "sd_log"):
                value = getattr(self, name)
                rules.require(is_number(value) and value > 0, f"--{name}", "a number > 0", value)
            rules.beside("--out", self.out, CLAIMS_LOCK if self.action == "lock" else "")
            if self.n is not None:
                rules.whole("--n", self.n, least=2, most=MOST_PLANNED, why="no study has more")

    def _check_decide(self, rules: Rules) -> None:
        """Notes what is wrong with the flags of decide, and where they stand with another."""
        if self.action != "decide":
            for name in ("budget", "max_n", "script", "plan"):
                value = getattr(self, name)
                flag = f"--{name.replace('_', '-')}"
                rules.require(not value, flag, "given with decide alone", str(value))
            ok = not self.sequential or self.action == "lock"
            rules.require(ok, "--sequential", "given with lock alone", self.sequential)
            return
        one = len(self.studies) == 1 or not rules.all_read
        rules.require(one, "STUDIES", "one folder with decide", " ".join(map(str, self.studies)))
        trains = not self.plan and rules.all_read
        if self.budget is not None:
            rules.attempt(lambda: duration_s("--budget", self.budget))
        elif trains:
            rules.require(False, "--budget", "given with decide, or --plan", self.budget)
        if self.script is None:
            rule = (
                "given with decide, the study file, or --plan: no code that a folder names is run"
            )
            rules.require(not trains, "--script", rule, self.script)
        else:
            ok = self.script.is_file()
            rules.require(ok, "--script", "a file that exists", str(self.script))
        if self.max_n is not None:
            why = "no study has more"
            rules.whole("--max-n", self.max_n, least=2, most=MOST_PLANNED, why=why)


def main(flags: Flags) -> int:
    """Does what is asked, prints it, and returns the exit code."""
    from analysis import claims

    registry = claims.read(flags.file)
    match flags.action:
        case "list":
            _list(registry.claims)
        case "lock":
            _lock(flags, registry)
        case "power":
            _power(flags, registry)
        case "check":
            _check(flags, registry)
        case "decide":
            from analysis.commands.decide import budget_of, decide

            script = None if flags.plan else flags.script
            budget = budget_of(flags.budget, flags.max_n, script)
            return decide(flags.studies[0], registry, flags.lock, budget)
    return 0


def _list(claims: tuple[Claim, ...]) -> None:
    form, family = (max(len(getattr(c, name)) for c in claims) for name in ("form", "family"))
    for c in claims:
        say(f"{c.id:18}{c.form:{form}}  {c.family:{family}}  {c.role:12}  {c.tier:2}  {c.text}")


def _lock(flags: Flags, registry: Registry) -> None:
    import pandas as pd

    from analysis.claims import lock

    path = flags.out or Path(CLAIMS_LOCK)
    needs = _table(flags, registry).set_index("claim")["needs"] if flags.studies else {}
    needs = {str(name): int(n) for name, n in dict(needs).items() if pd.notna(n)}
    rule: LockRule = "sequential" if flags.sequential else "fixed"
    locked = lock.lock(registry, flags.n, needs=needs, rule=rule)
    lock.write_lock(path, locked)
    say(f"{path}: {len(registry.claims)} claims, SHA-256 {locked.sha256}, {locked.date}")
    if locked.is_sequential:
        say(f"judged after each replicate, of which there may be {_ends(locked.n.values())}")
    plain = lock.lock(registry, flags.n, locked.date, rule=rule).n
    for name, n in locked.n.items():
        if n > plain[name]:
            say(f"{name}: {n} replicates instead of {plain[name]}, by the pilot")


def _ends(numbers: Iterable[int]) -> str:
    ends = sorted(set(numbers))
    return " to ".join(map(str, dict.fromkeys(ends[:1] + ends[-1:])))


def _power(flags: Flags, registry: Registry) -> None:
    import pandas as pd

    table = _table(flags, registry)
    say(f"{'claim':18}{'form':14}{'n':>3}  power  in its family  needs  spread")
    for row in table.to_dict("records"):
        alone, family = (f"{row[name]:5.2f}" for name in ("power", "power_holm"))
        needs = "-" if pd.isna(row["needs"]) else row["needs"]
        say(
            f"{row['claim']:18}{row['form']:14}{row['n']:3}  {alone}  {family}          "
            f"{needs:>5}  {row['spread']:7}  {row['warning']}".rstrip()
        )


def _table(flags: Flags, registry: Registry) -> pd.DataFrame:
    """Returns the table of power, with the noise of the pilot where there is one."""
    from analysis.claims import grounds, pilot_spreads, power_table
    from analysis.frame import load

    pilot = None
    if flags.studies:
        found = grounds([load(folder) for folder in flags.studies])
        pilot = pilot_spreads(found["records"], registry, found["layers"])
    return power_table(registry, sd=flags.sd / 100, sd_log=flags.sd_log, n=flags.n, pilot=pilot)


def _check(flags: Flags, registry: Registry) -> None:
    from analysis.claims import grounds, lock, of_studies, sensitivity
    from analysis.claims.wording import estimate_text, p_text
    from analysis.frame import load
    from analysis.statistics.verdicts.verdict import UNTESTED
    from lttune.records.spreadsheet import save_csv
    from lttune.store.files import write_atomically, write_errors

    studies = [load(folder) for folder in flags.studies]
    locked = lock.read_lock(flags.lock) if flags.lock else None
    if flags.lock is not None and locked is None:
        raise ConfigError(f"--lock must be a file that exists, got {str(flags.lock)!r}")
    table = of_studies(studies, registry, locked)
    tested = table["verdict"] != UNTESTED
    for row in table[tested].to_dict("records"):
        numbers = f"{estimate_text(row)}, n {row['n']}, p {p_text(row)}"
        say(f"{row['claim']}: {row['verdict']}; {numbers}")
        say(f"  {row['role']}; {row['scale']}; {row['part']}. {row['reason']}")
        if row["deviates"]:
            say(f"  deviates in setting: {', '.join(row['deviates'])}")
        if row["omits"]:
            say(f"  not asked: {row['omits']}")
    for row in table[~tested].to_dict("records"):
        say(f"{row['claim']}: {UNTESTED}. {row['reason']}")
    say(", ".join(f"{count} {word}" for word, count in table["verdict"].value_counts().items()))
    if flags.sensitivity:
        found = sensitivity(registry=registry, **grounds(studies, locked))
        shown = found[(found.iloc[:, 2:] != UNTESTED).any(axis=1)]
        say(*shown.to_string(index=False).split("\n"))
    if flags.out is not None:
        plain = table.assign(deviates=["; ".join(one) for one in table["deviates"]])
        with write_errors(flags.out), write_atomically(flags.out) as temporary:
            save_csv(plain, temporary)
        say(f"{flags.out}: {len(table)} verdicts")
