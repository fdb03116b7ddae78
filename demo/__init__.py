"""The programs that made the embedded demo: its drawn pictures and its small network."""
