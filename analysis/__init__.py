"""Reads the folder of a study and never trains: tables, figures and the report."""

from analysis.frame import Study, load

__all__ = ["Study", "load"]
