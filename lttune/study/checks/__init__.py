"""What is checked of a study before anything starts: configurations, packages, where Ray may be."""
