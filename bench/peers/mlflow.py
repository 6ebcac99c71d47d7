"""MLflow's tracking server: a row for each span in PostgreSQL, two workers as Andon has, kept before the answer."""

from __future__ import annotations

from bench.peers.serving import Recipe

MLFLOW = Recipe(
    name="MLflow",
    # With SQLAlchemy 2.1 a postgresql:// address means psycopg 3.
    packages=("mlflow==3.17.2", "psycopg[binary]==3.3.9"),
    program="mlflow",
    command=(
        *("server", "--backend-store-uri", "{database}", "--host", "127.0.0.1", "--port", "{port}"),
        *("--workers", "2", "--default-artifact-root", "{folder}/artifacts"),
    ),
    health="/health",
    count="SELECT count(*) FROM spans",
    environment={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
    headers={"x-mlflow-experiment-id": "0"},
)
