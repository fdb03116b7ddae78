"""Measurements against what one would use instead."""
