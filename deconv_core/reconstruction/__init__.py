"""Reconstruction: from activations back to pixels, computed only on the needed windows."""
