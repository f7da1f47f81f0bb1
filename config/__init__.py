"""The wiring of Atrium, and the plumbing that every app stands on.

Nothing is imported here: ``config.processes`` and ``config.embedded`` start before there are settings.
"""
