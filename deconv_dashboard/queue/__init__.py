"""One background job: its place in the queue, its state, its process."""
