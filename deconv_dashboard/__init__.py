"""What the pages share. Imports go one way: pages, then this, then ``deconv_core``.

A folder is a noun, from the top: ``start`` and ``upload`` (the first page's parts), ``gallery``
(pictures and what stands beside them), ``frame`` (what is around every page), ``server`` (what all
sessions share), ``jobs`` (what is done in the background), ``data`` (what is kept), ``queue`` (one
background job). ``values`` are what pages choose, ask and get.
"""
