"""What the report says of how a study was made: where it is in MLflow, and what it measured."""

import pytest
from sample_study import anchor_rows, write_study
from test_report import words


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (
            None,
            "from the directory in which the command was run, then open the address that it "
            "prints; if the study ran under another MLFLOW_TRACKING_URI, give that one: "
            "mlflow ui --backend-store-uri sqlite:///mlflow.db",
        ),
        (
            "sqlite:///a b.db",
            "open the address that it prints: mlflow ui --backend-store-uri 'sqlite:///a b.db'",
        ),
        (
            "postgresql://***@h/d",
            "was run, with what *** stands for, then open the address that it prints: "
            "mlflow ui --backend-store-uri 'postgresql://***@h/d'",
        ),
        ("http://h:5000", "side by side in MLflow, at http://h:5000, experiment"),
        ("databricks", "side by side in MLflow, at databricks, experiment"),
    ],
)
@pytest.mark.usefixtures("undrawn")
def test_the_command_for_mlflow_is_that_of_the_study(tmp_path, uri, told):
    said = words(write_study(tmp_path, config={"tracking_uri": uri}))
    assert told in said
    assert "Measurements of your own" not in said


@pytest.mark.usefixtures("undrawn")
def test_the_page_says_where_measurements_of_ones_own_are(tmp_path):
    rows = [row | {"measured.norm": 1.0, "end_measured.norm": 1.0} for row in anchor_rows()]
    said = words(write_study(tmp_path, rows))
    assert (
        "Measurements of your own, norm: columns measured.NAME (at the early-stopping step)" in said
    )
