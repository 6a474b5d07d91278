"""Rules that turn estimates into verdicts."""
