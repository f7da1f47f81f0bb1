#!/usr/bin/env python
"""Django's command line: ``manage.py help`` lists what there is."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["up"]:  # makes the keys without which the settings do not load
        os.execv(sys.executable, [sys.executable, "-m", "config.ops.launcher", *sys.argv[2:]])
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # says what to do; where in the settings it was found is no help


if __name__ == "__main__":
    main()
