"""Uploads: the panel, names, checks and storing."""
