"""Static files under hashed names that browsers keep for ever; those not collected yet under their plain ones."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class StaticStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise ships no types
    """A file that was not collected keeps its plain name, so that tests and development need no collecting."""

    manifest_strict = False

    def hashed_name(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Return the hashed name of a collected file."""
        try:
            return str(super().hashed_name(name, *args, **kwargs))
        except ValueError:
            return name
