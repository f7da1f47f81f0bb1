"""Where this project lies, and where a process can listen."""

from pathlib import Path

from config.ops.launcher.ports import choose as free_port

ROOT = Path(__file__).resolve().parent.parent

__all__ = ["ROOT", "free_port"]
