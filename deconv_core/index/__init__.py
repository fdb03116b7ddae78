"""The index: the stored peak of every feature map in every image, and queries on it."""
