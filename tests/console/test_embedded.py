"""The servers that Andon brings along, as the user who runs the suite and, from root, as an ordinary one."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console import roles
from console.embedded import account, home, postgres, privileges, valkey
from console.embedded.home import PROJECT, StartError
from console.embedded.postgres import Postgres
from console.embedded.valkey import Valkey

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can step down to another account")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An ANDON_HOME with a short path: pytest's own tmp_path leaves little room for a socket."""
    with tempfile.TemporaryDirectory(prefix="andon-") as name:
        yield Path(name) / "home"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A data folder that is made once and stopped clean, to be copied."""
    with tempfile.TemporaryDirectory(prefix="andon-") as name:
        made = Path(name) / "home"
        server = Postgres(made, durable=False)
        server.start()
        roles.ensure_embedded(server.admin(), home.secrets(made))
        server.stop()
        yield made


@pytest.fixture
def copy(cluster: Path, folder: Path) -> Path:
    """An ANDON_HOME whose database exists."""
    subprocess.run(["cp", "-a", cluster, folder], check=True)
    return folder


@pytest.fixture
def server(copy: Path) -> Iterator[Postgres]:
    """A server that is stopped after the test."""
    running = Postgres(copy, durable=False)
    yield running
    running.stop()


def test_it_lets_each_role_in_with_its_password_only(server: Postgres) -> None:
    server.start()
    for role in (roles.OWNER, roles.APP, roles.FLEET):
        assert roles.logs_in(postgres.connection(server.home, role))
        assert not roles.logs_in({**postgres.connection(server.home, role), "password": "guessed"})


def test_the_app_and_fleet_roles_have_no_power(server: Postgres) -> None:
    server.start()
    with roles.connect(server.admin()) as admin:
        found = admin.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE 'andon_%'"
        ).fetchall()
    assert found == [(False, False, False, False)] * 3
    with roles.connect(postgres.connection(server.home, roles.APP)) as app, pytest.raises(Exception, match="denied"):
        app.execute("CREATE TABLE mine (id int)")


def test_it_listens_on_no_tcp_port(server: Postgres) -> None:
    process = server.start()
    broker = Valkey(server.home)
    try:
        listening = _listening_inodes()
        for pid in (process.pid, broker.start().pid):
            held = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
            assert not {f"socket:[{inode}]" for inode in listening} & held
    finally:
        broker.stop()


def test_its_folders_are_closed_to_others(server: Postgres) -> None:
    server.start()
    for name in ("postgres", "run", "logs"):
        assert (server.home / name).stat().st_mode & 0o077 == 0
    assert server.home.stat().st_mode & 0o067 == 0


def test_it_recovers_what_was_committed_after_kill_9(server: Postgres) -> None:
    server.durable = True
    process = server.start()
    with roles.connect(postgres.connection(server.home, roles.OWNER)) as owner:
        owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    process.kill()
    process.wait()
    # The dead server's number now belongs to a living program: this one.
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(process.pid), str(os.getpid()), 1))
    server.start()
    with roles.connect(postgres.connection(server.home, roles.OWNER)) as owner:
        assert owner.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_it_waits_for_what_a_killed_server_has_left(server: Postgres) -> None:
    """On a loaded machine its backends come to notice that it has gone when the next one is starting."""
    process = server.start()
    with roles.connect(postgres.connection(server.home, roles.OWNER)) as left:
        backend = left.info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        process.kill()
        process.wait()
        goes_on = threading.Timer(1.0, os.kill, (backend, signal.SIGCONT))
        goes_on.start()
        try:
            server.start()
        finally:
            goes_on.join()
        left.close()
    with roles.connect(postgres.connection(server.home, roles.OWNER)) as owner:
        assert owner.execute("SELECT 1").fetchone() == (1,)


def test_it_goes_down_with_a_parent_that_is_killed(copy: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from console.embedded.postgres import Postgres;"
        "print(Postgres(Path(sys.argv[1]), durable=False).start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, copy], cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not (copy / "postgres" / "postmaster.pid").exists()


def test_it_names_the_version_of_data_it_can_t_read(copy: Path) -> None:
    (copy / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(
        StartError, match=r"was made by PostgreSQL 16, this Andon brings PostgreSQL 18\. Set ANDON_HOME"
    ):
        Postgres(copy).start()


def test_the_first_files_of_its_log_are_made_ahead_where_it_is_durable(folder: Path) -> None:
    server = Postgres(folder)
    server.start()
    try:
        with psycopg.connect(psycopg.conninfo.make_conninfo(**server.admin())) as admin:
            ahead = "SELECT count(*) FROM pg_ls_waldir() WHERE name > pg_walfile_name(pg_current_wal_lsn())"
            [[found]] = admin.execute(ahead).fetchall()
    finally:
        server.stop()
    assert found >= 15


def test_it_says_that_the_disk_is_full_before_it_makes_anything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_ROOM_FOR_A_NEW_CLUSTER", 1 << 60)
    with pytest.raises(StartError, match="Free some space, or set ANDON_HOME to a folder on another disk"):
        Postgres(folder).start()


def test_it_shows_the_server_s_own_words_when_that_does_not_start(server: Postgres) -> None:
    (server.data / "global" / "pg_control").unlink()
    with pytest.raises(StartError, match=r"(?s)did not start .exit code \d+.*database\.log.*pg_control"):
        server.start()


def test_a_home_without_its_secrets_is_refused_with_the_remedy(server: Postgres) -> None:
    (server.home / "secrets.json").unlink()
    server.start()
    with pytest.raises(StartError, match=r"put back the secrets\.json"):
        roles.ensure_embedded(server.admin(), home.secrets(server.home))


def test_it_serves_a_home_deeper_than_a_socket_address_is_long(copy: Path) -> None:
    deep = copy.parent / ("d" * 100) / ("e" * 100)
    deep.parent.mkdir()
    copy.rename(deep)
    server, broker = Postgres(deep, durable=False), Valkey(deep)
    try:
        server.start()
        broker.start()
        assert roles.logs_in(postgres.connection(deep, roles.APP))
        assert valkey.answers(deep)
    finally:
        broker.stop()
        server.stop()


def test_a_second_console_on_the_same_home_is_told_who_runs(folder: Path) -> None:
    told = rf"already runs on {folder}: http://127.0.0.1:8000/, process {os.getpid()}\."
    first, second = (home.held(home.prepare(folder), f"http://127.0.0.1:{port}/") for port in (8000, 8001))
    with first, pytest.raises(StartError, match=told):
        second.__enter__()
    with home.held(folder, "http://127.0.0.1:8001/") as after_a_kill:
        assert not after_a_kill


def test_valkey_lets_nobody_in_without_the_password(folder: Path) -> None:
    broker = Valkey(folder)
    broker.start()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "run" / "valkey.sock"))
            client.sendall(b"PING\r\n")
            assert client.recv(100).startswith(b"-NOAUTH")
    finally:
        broker.stop()


@as_root
def test_root_serves_a_closed_folder_under_an_account_that_may_only_pass_and_read(server: Postgres) -> None:
    process = server.start()
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    assert server.home.parent.stat().st_mode & 0o077 == 0
    assert int(status["Uid"].split()[1]) == pwd.getpwnam("nobody").pw_uid
    assert int(status["CapEff"], 16) in (1 << privileges.CAP_DAC_READ_SEARCH, 1 << privileges.CAP_DAC_OVERRIDE)
    assert status["NoNewPrivs"].strip() == "1"


@as_root
def test_an_open_folder_calls_for_no_capability(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="andon-") as name:
        program = Path(name) / "server"
        program.touch(mode=0o755)
        nobody = account.Account(65534, 65534)
        assert account.capability_for(nobody, program, []) != privileges.NO_CAPABILITY
        Path(name).chmod(0o755)
        assert account.capability_for(nobody, program, []) == privileges.NO_CAPABILITY
        program.chmod(0o700)
        assert account.capability_for(nobody, program, []) == privileges.CAP_DAC_OVERRIDE


@as_root
def test_an_ordinary_user_starts_it_as_themselves(folder: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    folder.parent.chmod(0o755)
    folder.mkdir()
    os.chown(folder, daemon.pw_uid, daemon.pw_gid)
    program = (
        "import sys; from pathlib import Path; from console.embedded.postgres import Postgres;"
        "s = Postgres(Path(sys.argv[1])); p = s.start(); print(Path(f'/proc/{p.pid}').stat().st_uid); s.stop()"
    )
    # The right to read everything stands for a Python that lies where this user may go.
    command = privileges.wrap(
        [sys.executable, "-c", program, str(folder)],
        uid=daemon.pw_uid,
        gid=daemon.pw_gid,
        capability=privileges.CAP_DAC_READ_SEARCH,
    )
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (str(daemon.pw_uid), "")


def _listening_inodes() -> set[str]:
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == "0A"}
