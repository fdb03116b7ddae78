"""Pictures on pages: tiles, answers, downloads, contact sheet, where a feature map fired."""
