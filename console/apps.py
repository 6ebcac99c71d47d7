"""The top floor: pages, URLs, wiring."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The user interface and the composition of the floors below."""

    name = "console"
