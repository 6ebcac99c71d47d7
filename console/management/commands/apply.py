"""`manage.py apply`: a tenant's catalogue from YAML files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.configuration.applying import configuration_apply
from monitoring.configuration.document import parse
from monitoring.configuration.faults import ConfigurationError
from partners.selectors import tenant_named
from partners.viewer import system_viewer


class Command(BaseCommand):
    """Prints the difference (+ made, ~ changed) and makes it true, all of it or nothing. Nothing is ever removed."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, help="YAML files; together they are one configuration")
        parser.add_argument("--tenant", required=True, help="the tenant's short name or name")
        parser.add_argument("--dry-run", action="store_true", help="print the difference and change nothing")

    def handle(self, *_: Any, files: list[Path], tenant: str, dry_run: bool, **__: Any) -> None:
        """Applies the files."""
        found = tenant_named(tenant)
        if found is None:
            raise CommandError(f"There is no tenant '{tenant}'; `manage.py provision` makes one.")
        try:
            entries = parse([(str(path), _text(path)) for path in files])
            done = configuration_apply(entries=entries, viewer=system_viewer(found, "apply"), dry_run=dry_run)
        except ConfigurationError as error:
            count = len(error.faults)
            raise CommandError(
                f"{error}\n{count} {'fault' if count == 1 else 'faults'}; nothing was changed."
            ) from None
        for change in done.changes:
            self.stdout.write(str(change))
        for channel, secret in done.secrets.items():
            self.stdout.write(f"signing secret of channel {channel}, shown once: {secret}")
        count = len(done.changes)
        changes = f"{count} {'change' if count == 1 else 'changes'}"
        self.stdout.write(f"{changes} to make." if dry_run else f"{changes} made." if count else "Nothing to change.")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8: byte {error.start} can't be read.") from None
