"""Is all well: the environment, a study with its networks, a cluster file."""
