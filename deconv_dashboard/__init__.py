"""Code that the pages share. Imports go one way: pages, then this package, then ``deconv_core``.

The folders, from top to bottom: ``start`` and ``upload`` (the parts of the Start page), ``gallery``
(pictures and their captions), ``frame`` (the frame of every page), ``server`` (shared by all
sessions), ``jobs`` (background work), ``data`` (the data folder), ``queue`` (the queue of
background jobs). ``values`` holds the dataclasses that travel between these folders.
"""
