"""Google Keep archives.

`archive` opens zip files safely, `keep` is the format of one note, `reader` and `export` use both.
"""
