"""MLflow, and nothing that knows a study."""
