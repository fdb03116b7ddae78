"""Shared by all sessions: registry, cached resources, locks, and rules of who may connect."""
