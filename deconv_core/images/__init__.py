"""Images: lists the image files of a folder and decodes them to RGB pixels."""
