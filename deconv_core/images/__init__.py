"""Images of a folder: which files they are, and how they become RGB pixels."""
