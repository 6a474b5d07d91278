"""How fast lttune trains, beside the loops that one would write without it."""
