"""Statistics of peaks: pure functions on arrays."""
