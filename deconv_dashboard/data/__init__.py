"""The data folder: datasets, networks and scans that are kept, and how they are deleted."""
