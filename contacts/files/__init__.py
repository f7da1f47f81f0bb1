"""Reads files of contacts, workbooks and CSV. No module here imports Django, except `process`, which starts the reader.

`reader` is a process of its own: it opens the file as a `table`, and decides about its `header` and its `rows`. A
workbook is a `package` with a `workbook` whose `worksheet` is read as a stream of `cells`; CSV is `delimited` text in
one of the `encodings`. `phone_numbers` and `email_addresses` read a cell. `choice` is what the caller chose, `guess`
what a preview proposes.
"""
