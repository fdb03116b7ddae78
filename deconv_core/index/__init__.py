"""The index on disk: the peak of every feature map in every image, and questions to it."""
