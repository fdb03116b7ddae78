"""Output: grids, tables, figures, and exports with an offline page."""
