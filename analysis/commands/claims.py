"""List the literature's claims, lock them, say what can be decided, check them against studies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lttune.config.fields import is_number
from lttune.config.output.escaped import say
from lttune.config.rules import CLAIMS_LOCK, every_rule
from lttune.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.claims import Claim, Registry


MOST_PLANNED = 100_000
"""Replicates that a claim can plan."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What is done, and with which claims."""

    action: Annotated[Literal["list", "lock", "power", "check"], tyro.conf.Positional]
    """list prints every claim; lock fixes the claims file before a study starts; power says which
    claims a number of replicates can decide; check prints the verdicts on studies."""
    studies: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Folders of studies, results/NAME: of check what is judged, of power and lock a pilot, whose
    replicates say how many a claim needs. A lock counts no network of its pilot as evidence."""
    file: Path | None = None
    """The claims file; None is the one that is shipped."""
    out: Path | None = None
    """Of lock: the file to write, None is claims.lock.json; keep it in the study's folder. Of
    check: a CSV of the table."""
    lock: Path | None = None
    """Of check: the lock; None is claims.lock.json in the folder of the first study."""
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

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        given = " ".join(map(str, self.studies))
        with every_rule() as rules:
            ok = bool(given) or self.action != "check" or not rules.all_read
            rules.require(ok, "STUDIES", "given with check", given)
            rules.require(not given or self.action != "list", "STUDIES", "left out of list", given)
            for name in ("sd", "sd_log"):
                value = getattr(self, name)
                rules.require(is_number(value) and value > 0, f"--{name}", "a number > 0", value)
            rules.beside("--out", self.out, CLAIMS_LOCK if self.action == "lock" else "")
            if self.n is not None:
                rules.whole("--n", self.n, least=2, most=MOST_PLANNED, why="no study has more")


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
    locked = lock.lock(registry, flags.n, needs=needs)
    lock.write_lock(path, locked)
    say(f"{path}: {len(registry.claims)} claims, SHA-256 {locked.sha256}, {locked.date}")
    plain = lock.lock(registry, flags.n, locked.date).n
    for name, n in locked.n.items():
        if n > plain[name]:
            say(f"{name}: {n} replicates instead of {plain[name]}, by the pilot")


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
