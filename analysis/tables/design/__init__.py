"""Tables of designs: points, readings, importance, the region, widths."""
