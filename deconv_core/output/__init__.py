"""Output for people: grids, tables, figures, and exports with an offline page."""
