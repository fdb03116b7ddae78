"""Networks: their layers, their steps and their weight files."""
