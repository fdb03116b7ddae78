"""The queue of background jobs: order, state and process of each job."""
