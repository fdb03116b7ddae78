"""What a person takes away: grids, tables, figures, a zip that shows itself."""
