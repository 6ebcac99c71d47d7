#!/usr/bin/env python3
"""Django's command line for Andon."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from console.embedded.home import StartError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    try:
        execute_from_command_line(sys.argv)
    except StartError as error:
        # Settings are read before any command runs, so what they can't use is told here.
        sys.exit(f"Andon does not start: {error}")
    except OperationalError as error:
        said = " ".join(str(error).split())
        sys.exit(f"The database does not answer. Is the console running (make run), and on this ANDON_HOME? {said}")
