"""The page of verdicts: every claim on it once, with the numbers of the table."""

from planted import CONTRAST, claim, question, records, registry, rising, trial

from analysis.claims import verdicts
from analysis.claims.markdown import markdown_page

BETTER = question(form="superiority", measure="accuracy", cells=CONTRAST)


def test_each_verdict_has_a_table_of_its_own():
    known = registry(
        claim(question(form="superiority"), id="UP", text="It | rises."),
        claim(question(form="superiority", direction="down"), id="DOWN"),
        claim(BETTER, id="NONE"),
    )
    table = verdicts(records(trial(accuracy=rising(0.005))), known)
    text = markdown_page(table, known)
    supported, contradicted = text.partition("## Contradicted (1)")[::2]
    contradicted, untested = contradicted.partition("## Not tested (1)")[::2]
    assert "## Supported (1)" in supported
    assert "a" * 64 in supported
    [row] = [line for line in supported.splitlines() if line.startswith("| UP ")]
    cells = [cell.strip() for cell in row.replace("\\|", "/").strip("|").split("|")]
    up = table.set_index("claim").loc["UP"]
    numbers = [f"{100 * up[name]:.3g}" for name in ("estimate", "low", "high")]
    assert cells[1] == "It / rises."
    assert cells[2] == "asked"
    assert cells[3] == f"{numbers[0]} [{numbers[1]}, {numbers[2]}] points"
    assert cells[4] == "6"
    assert cells[5] == f"{up['p_adjusted']:.2g}"
    assert cells[7] == "50,000 steps, lenet-300-100, mnist, batch 60"
    assert cells[8] == up["reason"]
    [row] = [line for line in contradicted.splitlines() if line.startswith("| DOWN ")]
    down = table.set_index("claim").loc["DOWN"]
    assert down["p_adjusted"] > 0.99
    assert f"| {down['p_against_adjusted']:.2g} against |" in row
    assert "| NONE |" in untested
    assert "nothing" in untested


def test_deviations_and_what_is_not_asked_are_on_the_page():
    known = registry(claim(question(), id="UP", omits="Speed | and depth."))
    rows = trial(accuracy=rising(0.005), at={"data.pool": 2, "train.steps": 3_000})
    text = markdown_page(verdicts(rows, known), known)
    assert (
        "| 3,000 steps, lenet-300-100, mnist / 2, batch 60, proxy; train.steps 3,000 instead of "
        "50,000; data.pool 2 instead of 1 |" in text
    )
    assert text.endswith("| UP | Speed \\| and depth. |\n")


def test_equal_tables_are_equal_pages():
    known = registry(claim(question(form="superiority"), id="UP"))
    rows = records(trial(accuracy=rising(0.005)))
    shuffled = rows.sample(frac=1, random_state=1)
    assert markdown_page(verdicts(rows, known), known) == markdown_page(
        verdicts(shuffled, known), known
    )
