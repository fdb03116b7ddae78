"""What background jobs do: scans, exports, downloads, the pictures of Caltech-256."""
