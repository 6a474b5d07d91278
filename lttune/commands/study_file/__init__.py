"""The study file that ``lttune new`` writes: settings that fit a network and data, as text."""
