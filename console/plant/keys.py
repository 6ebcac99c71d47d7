"""The plant's ingest keys, by tenant, as the demo issued them; their secrets exist nowhere else."""

from __future__ import annotations

from pathlib import Path

from console.plant.files import read_json, write_json

FILE = "plant-keys.json"


def read_keys(home: Path) -> dict[str, str]:
    """The kept keys by the tenant's short name."""
    content = read_json(home / FILE)
    return {str(tenant): str(key) for tenant, key in content.items()} if isinstance(content, dict) else {}


def keep_keys(home: Path, keys: dict[str, str]) -> None:
    """Keeps these keys and no others."""
    write_json(home / FILE, keys)
