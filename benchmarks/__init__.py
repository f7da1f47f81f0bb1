"""What is fast, shown beside what it is compared with: ``bin/bench [NAME…]``.

Each module has ``def run(bench: Bench) -> None``. Machines are shared and noisy, so nothing here passes or fails:
subject and comparison are measured in turn within one run, and what counts is the ratio of their medians.
"""
