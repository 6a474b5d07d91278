"""The page of the committed results, from their records: ``python -m docs.results_page``.

Its words are the template's, its numbers are computed here. Importances take minutes to estimate:
they are read from the figure's CSV, and a slow test estimates them anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from analysis import load
from analysis.claims import Registry, of_studies, read, verdicts
from analysis.claims.markdown import markdown_page
from analysis.claims.of_studies import grounds
from analysis.frame import StudyFrame
from analysis.statistics.verdicts.verdict import JUDGED
from analysis.tables.design.region import is_sane, sane_region
from analysis.tables.fair_comparison import choice_table, pair_table
from docs import results_tables
from docs.results_format import FILTERS, points, short

RESULTS = Path(__file__).parent / "results"
TEMPLATE = "README.md.jinja"
CURRENT = Path(__file__).parent.parent / "analysis" / "claims" / "file" / "claims.yaml"
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PEELED = {"train.lr": "learning rate", "train.batch_size": "batch size"}
"""Factors of the region, as the page calls them."""


class Page:
    """What the template may ask for, each computed once."""

    @cached_property
    def studies(self) -> dict[str, StudyFrame]:
        """Name of a folder -> its study."""
        folders = sorted(path.parent for path in RESULTS.glob("*/study.json"))
        return {folder.name: load(folder) for folder in folders}

    @cached_property
    def locked(self) -> pd.DataFrame:
        """The verdicts under the claims as they were locked before anything was trained."""
        return of_studies([self.studies["claims"]], read(RESULTS / "claims" / "claims.yaml"))

    @cached_property
    def corrected(self) -> pd.DataFrame:
        """The verdicts under the claims of today, corrected after these data were seen.

        Without a lock, which would be of other claims, none of them is confirmatory.
        """
        found = grounds([self.studies["claims"]]) | {"lock": None}
        return verdicts(registry=self.today, **found)

    @cached_property
    def today(self) -> Registry:
        """The claims of today, with the replicates of these records."""
        registry = read(CURRENT)
        n = self.replicates("claims")
        claims = tuple(dataclasses.replace(claim, n=n) for claim in registry.claims)
        return dataclasses.replace(registry, claims=claims)

    def commit(self, name: str) -> str:
        """Returns the commit that trained a study."""
        return self.studies[name].info["code"]["commit"][:7]

    def trials(self, name: str, **where: Any) -> int:
        """Returns how many trials a study has."""
        table = self.studies[name].trials
        for column, value in where.items():
            table = table[table[column] == value]
        return len(table)

    def lottery(self, name: str) -> dict[str, Any]:
        """Returns a study's base configuration, nested."""
        return self.studies[name].info["lottery"]

    def steps(self, name: str) -> str:
        """Returns the steps of a level."""
        return f"{self.lottery(name)['train']['steps']:,}"

    def replicates(self, name: str) -> int:
        """Returns the replicates of a study's anchor."""
        return int(self._anchor(name)["replicate"].nunique())

    def levels(self, name: str) -> int:
        """Returns the levels of a study's anchor after the dense one."""
        return int(self._anchor(name)["level"].max())

    def smallest(self, name: str) -> float:
        """Returns the smallest density of a study's anchor."""
        return float(self._anchor(name)["density"].min())

    def points(self, name: str) -> int:
        """Returns the points of a design, without the paper's."""
        trials = self.studies[name].trials
        mine = trials[(trials["phase"] == "design") & (trials["role"] != "paper")]
        return int(mine["label"].str.partition(" ")[0].nunique())

    def tuned(self) -> int:
        """Returns the learning rates of each optimizer."""
        choices = choice_table(self.studies["comparison"])
        return int(choices.groupby("value")["trial"].nunique().max())

    def chosen(self) -> dict[str, float]:
        """Returns optimizer -> the learning rate that tuning chose."""
        choices = choice_table(self.studies["comparison"])
        mine = choices[choices["chosen"]]
        return dict(zip(mine["value"], mine["tried"].astype(float), strict=True))

    def _anchor(self, name: str) -> pd.DataFrame:
        records = self.studies[name].records
        return records[(records["phase"] == "anchor") & (records["branch"] == "trunk")]

    def folder(self, name: str) -> Path:
        """Returns a study's folder."""
        return RESULTS / name

    def networks(self, name: str) -> int:
        """Returns how many networks a study has."""
        return len(self.studies[name].records)

    def counts(self, table: pd.DataFrame) -> dict[str, int]:
        """Returns verdict -> how many, and "claims" -> how many claims have one."""
        judged = table[table["verdict"].isin(JUDGED)]
        found = {verdict: int((judged["verdict"] == verdict).sum()) for verdict in JUDGED}
        return {**found, "claims": judged["claim"].nunique()}

    def words(self, verdict: str) -> str:
        """Returns how many confirmatory claims have a verdict, in words."""
        mine = self.locked[self.locked["role"] == "confirmatory"]
        return NUMBERS[int((mine["verdict"] == verdict).sum())]

    def verdict(self, claim: str, scale: str = "", table: str = "locked") -> dict[str, Any]:
        """Returns the one row of a claim at a scale that holds the words.

        Raises:
            LookupError: if there is not exactly one.
        """
        rows = getattr(self, table)
        rows = rows[(rows["claim"] == claim) & rows["verdict"].isin(JUDGED)]
        rows = rows[rows["scale"].str.contains(scale, regex=False)]
        if len(rows) != 1:
            raise LookupError(f"{claim} at {scale!r}: {len(rows)} rows {list(rows['scale'])}")
        return rows.iloc[0].to_dict()

    def confirmed(self, name: str) -> dict[str, dict[str, Any]]:
        """Returns the rows of a study's confirmation: "search", "random", "base", or a value."""
        table = pd.read_csv(RESULTS / name / "figures" / "confirmed.csv")
        return {str(one["name"]).split()[0]: one for one in table.to_dict("records")}

    def pairs(self, measure: str) -> pd.DataFrame:
        """Returns the differences between optimizers in a measure."""
        table = self._pairs
        return table[table["measure"] == measure]

    @cached_property
    def _pairs(self) -> pd.DataFrame:
        return pair_table(self.studies["comparison"])

    def least_p(self, measure: str) -> float:
        """Returns the smallest adjusted p of a difference between optimizers in a measure."""
        return float(self.pairs(measure)["p_adjusted"].min())

    def widest(self, measure: str) -> dict[str, Any]:
        """Returns the difference from Adam in a measure that is least likely by chance."""
        pairs = self.pairs(measure)
        return pairs.loc[pairs[pairs["first"] == "adam"]["p_adjusted"].idxmin()].to_dict()

    def inert(self, name: str) -> str:
        """Returns the largest total index of the inert factor."""
        figure = pd.read_csv(RESULTS / name / "figures" / "importance.csv")
        return f"{figure[figure['factor'] == 'inert']['total'].max():.2f}"

    def lead(self, confirmed: Mapping[str, Any]) -> str:
        """Returns a confirmed configuration's difference from the base."""
        ends = {name: confirmed[f"difference_{name}"] for name in ("low", "high")}
        return points({"mean": confirmed["difference"], **ends})

    def region(self) -> str:
        """Returns the region of the second design: of what was peeled from the wide one."""
        factors = {one["path"]: one for one in self.studies["region"].info["factors"]}
        ends = {
            path: [_end(factors[path][name]) for name in ("low", "high")] for path in self.peeled()
        }
        return ", ".join(f"{PEELED[path]} {' to '.join(told)}" for path, told in ends.items())

    def peeled(self) -> dict[str, tuple[float, float]]:
        """Returns the box that is peeled from the wide design: path -> (low, high)."""
        return sane_region(self.studies["sensitivity"])

    def sane(self) -> tuple[int, int]:
        """Returns how many points of the wide design learn, and how many there are."""
        found = is_sane(self.studies["sensitivity"])
        return int(found.sum()), len(found)


def _end(value: float) -> str:
    """Returns a whole number as it is, any other in two digits."""
    return str(value) if isinstance(value, int) else short(value)


def render(results: Page) -> str:
    """Returns the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(RESULTS),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, of our own numbers.
    )
    environment.filters |= FILTERS
    return environment.get_template(TEMPLATE).render(page=results, tables=results_tables)


def pages(results: Page) -> dict[str, str]:
    """Returns file name -> text of all pages."""
    return {
        "README.md": render(results),
        "verdicts.md": markdown_page(results.locked, read(RESULTS / "claims" / "claims.yaml")),
        "verdicts-corrected.md": markdown_page(results.corrected, results.today),
    }


if __name__ == "__main__":
    for name, text in pages(Page()).items():
        (RESULTS / name).write_text(text)
