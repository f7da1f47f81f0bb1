"""The project: settings, URLs, and the code that all apps share.

Nothing is imported here, because ``config.ops.processes`` and ``config.ops.launcher`` start before the settings exist.
"""
