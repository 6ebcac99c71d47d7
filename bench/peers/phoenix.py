"""Arize Phoenix: traces of language models in PostgreSQL, a row for each span. It answers before it persists."""

from __future__ import annotations

from bench.peers.serving import Recipe

PHOENIX = Recipe(
    name="Phoenix",
    packages=("arize-phoenix==20.26.1", "asyncpg==0.32.0"),
    program="phoenix",
    command=("serve",),
    health="/healthz",
    count="SELECT count(*) FROM spans",
    environment={
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": "{port}",
        "PHOENIX_GRPC_PORT": "{other_port}",
        "PHOENIX_WORKING_DIR": "{folder}",
        "PHOENIX_SQL_DATABASE_URL": "{database}",
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
    },
)
