"""What a study file declares, checked field by field where it is declared."""

from lttune.study.declared.study import Space, Study, describe_space

__all__ = ["Space", "Study", "describe_space"]
