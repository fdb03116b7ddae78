"""What all sessions share: registry, cached resources, what may be served, locks."""
