"""Background work that is stored as rows.

`job` is the row, `runner` processes due rows, `enqueue` notifies a worker, `schedule` and `beat` start the sweeps.
"""
