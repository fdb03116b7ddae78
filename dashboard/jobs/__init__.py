"""Background jobs: one kind, and what scans, exports and downloads do in it."""
