"""The scan: one pass over the images writes every map's peak in every image into an index."""
