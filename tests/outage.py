"""A console over a database server of its own, which may be killed, paused, filled up and started again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from console import roles
from console.embedded.postgres import Postgres
from tests import servers
from tests.live import LiveConsole
from tests.online import JSON


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes at this folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Plant:
    """A console with one tenant. `post` answers (status, Retry-After); `stored` counts what the log holds."""

    def __init__(self, home: Path) -> None:
        # What an undurable server has acknowledged is lost with it, as the suite's own would show at once.
        self.server = servers.TestServers(home / "server", durable=True)
        self.server.start()
        self.console = LiveConsole(home / "console", "outage", server=home / "server")
        made = json.loads(self.console.manage("provision", "--partner", "P", "--tenant", "T", "--json").stdout)
        self.key: str = made["ingest_key"]

    def stop(self) -> None:
        """Stops all it started."""
        self.console.stop()
        self.server.stop()

    def post(self, body: Any) -> tuple[int, str]:
        """Send an OTLP/JSON request; a body that is an iterator goes out in chunks."""
        sender = http.client.HTTPConnection("127.0.0.1", self.console.port, timeout=15)
        try:
            headers = {"content-type": JSON, "authorization": f"Bearer {self.key}"}
            sender.request("POST", "/v1/traces", body, headers, encode_chunked=not isinstance(body, bytes))
            answer = sender.getresponse()
            answer.read()
            return answer.status, answer.getheader("retry-after", "")
        finally:
            sender.close()

    def asked(self, question: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the tenant's data."""
        with psycopg.connect(self.console.env["ANDON_APP_DATABASE_URL"]) as connection:
            connection.execute("SET app.tenant_id = '1'")
            return connection.execute(sql.SQL(question)).fetchall()

    # Troubles --------------------------------------------------------------------------------------------------------

    @property
    def postgres(self) -> Postgres:
        """The database server."""
        assert self.server._postgres is not None
        return self.server._postgres

    def kill(self) -> None:
        """kill -9 of the database server and all its processes."""
        for process in self._processes():
            process.kill()
        self.postgres.stop()

    @contextmanager
    def killed_for(self, seconds: float) -> Iterator[None]:
        """The server is killed, and started again after so long and after the block.

        By the main thread: the kernel takes a server down with the thread that started it.
        """
        began = time.monotonic()
        self.kill()
        yield
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        self.postgres.start()

    @contextmanager
    def paused_for(self, seconds: float) -> Iterator[None]:
        """The server stands still while the block runs: nobody is refused, nobody is answered."""
        stopped = self._processes()
        for process in stopped:
            process.suspend()

        def resume() -> None:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

        later = threading.Timer(seconds, resume)
        later.start()
        try:
            yield
        finally:
            later.join()

    @contextmanager
    def full(self) -> Iterator[None]:
        """The disk of the database is full; afterwards it is not, and the server runs, started again where it died."""
        filler = self.server.home / "filler"
        with filler.open("wb") as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
                file.flush()
        try:
            yield
        finally:
            filler.unlink()
            process = self.postgres._process
            if process is None or process.poll() is not None:
                self.postgres.stop()
                self.postgres.start()

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Everybody has been thrown out, and there is no connection left for the app."""
        role = sql.Identifier(roles.APP)
        with roles.connect(self.postgres.admin()) as admin:
            admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(role))
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [roles.APP])
            try:
                yield
            finally:
                admin.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1").format(role))

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(int((self.postgres.data / "postmaster.pid").read_text().split()[0]))
        return [postmaster, *postmaster.children(recursive=True)]


def kill_worker(console: LiveConsole) -> None:
    """kill -9 of a web worker that serves alone."""
    os.kill(console._running["web"].pid, signal.SIGKILL)
