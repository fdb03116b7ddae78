"""Pictures on pages: tiles, answers, downloads, contact sheet, where a map fired."""
