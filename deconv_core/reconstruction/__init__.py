"""From activations back to pixels, on the windows that matter."""
