"""The data folder: its datasets, networks, uploads and scans, and their deletion."""
