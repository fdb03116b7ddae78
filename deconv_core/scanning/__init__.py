"""The scan: one pass over the images stores every feature map's peak in every image."""
