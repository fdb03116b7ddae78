"""The kinds of background jobs: scans, exports, samples of layers, downloads."""
