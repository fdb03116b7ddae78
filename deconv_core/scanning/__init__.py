"""One pass over the images: every map's peak in every image, into an index."""
