"""Networks: their layers and steps, and the weight files they come from."""
