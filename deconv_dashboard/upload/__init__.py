"""Uploads: the panel, file names, checks, unpacking."""
