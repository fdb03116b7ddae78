"""The kinds of background jobs: scans, exports, downloads of VGG19 and of Caltech-256."""
