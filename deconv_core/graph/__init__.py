"""A convolutional network as a graph of steps, and what each location in it depends on."""
