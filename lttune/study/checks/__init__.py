"""What is checked of a study before anything starts: its configurations, and where Ray may be."""
