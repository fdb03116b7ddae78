"""Measurements, side by side with the libraries that a user would use instead."""
