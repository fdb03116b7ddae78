"""Specificity: how much of a picture is about its map, and how much about the image."""
