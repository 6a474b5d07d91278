"""The commands of ``lttune`` that read studies; ``lttune.commands`` says what a command is."""
