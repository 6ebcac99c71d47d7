"""Children that die, ports that are taken, signals, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.embedded.home import StartError, prepare
from console.runtime import processes
from console.runtime.children import Child
from console.runtime.supervisor import Stopped, StopRequest, Supervisor, require_free_port, stopped_by_signals


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose children are gone after the test, and whose signal handlers too."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    running = Supervisor(prepare(tmp_path), os.environ, StopRequest())
    yield running
    running.stop()
    for number, handler in before.items():
        signal.signal(number, handler)


def _python(name: str, program: str) -> Child:
    return Child(name, (sys.executable, "-c", program))


def test_a_child_that_dies_is_named_with_its_exit_code_its_log_and_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(_python("quiet", "import time; time.sleep(60)"))
    supervisor.start(_python("worker", "import sys; sys.exit(print('no broker', flush=True) or 3)"))
    with pytest.raises(StartError) as told:
        supervisor.watch()
    log = tmp_path / "logs" / "worker.log"
    said = "\n    no broker" * 4
    assert str(told.value) == f"worker ended with exit code 3; all stopped. Its log: {log}{said}"


def test_a_child_that_is_killed_is_named_with_the_signal(supervisor: Supervisor) -> None:
    supervisor.start(_python("web", "import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(StartError, match="web ended with signal SIGKILL"):
        supervisor.watch()


def test_what_ends_by_itself_is_started_anew_and_what_it_left_is_gone(tmp_path: Path) -> None:
    """A web server that was killed leaves its workers, which hold the port."""
    once, pids = tmp_path / "once", tmp_path / "pids"
    program = (
        "import os, pathlib, signal, time; pid = os.fork();"
        f"pid and open({str(pids)!r}, 'a').write(f'{{os.getpid()}} {{pid}} ');"
        f"is_first = pid and not pathlib.Path({str(once)!r}).exists(); pid and pathlib.Path({str(once)!r}).touch();"
        "is_first and os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)"
    )
    said: list[str] = []
    request = StopRequest()

    def hear(line: str) -> None:
        said.append(line)
        request.made = True

    supervisor = Supervisor(prepare(tmp_path), os.environ, request, hear)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        supervisor.start(_python("web", program))
        with pytest.raises(Stopped):
            supervisor.watch()
        assert said == [f"web ended with signal SIGKILL and was started anew. Its log: {tmp_path / 'logs' / 'web.log'}"]
        dead, orphan, living, _ = _words(pids, 4)
        assert [_lives(int(pid)) for pid in (dead, orphan, living)] == [False, False, True]
    finally:
        supervisor.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_server_that_does_not_start_anew_at_once_is_tried_again(tmp_path: Path) -> None:
    """A database that is killed while it recovers says that it could not start; the next time it does."""
    (prepare(tmp_path) / "logs").mkdir(exist_ok=True)
    said: list[str] = []
    request = StopRequest()
    log = tmp_path / "logs" / "database.log"
    faults = [StartError("The database did not start."), StartError("The database did not start."), None]

    begun: list[processes.Process] = []

    def begin(program: str) -> processes.Process:
        begun.append(processes.start([sys.executable, "-c", program], log=log, cwd=tmp_path, env=os.environ))
        return begun[-1]

    def again() -> processes.Process:
        fault = faults.pop(0)
        if fault:
            raise fault
        return begin("import time; time.sleep(60)")

    def hear(line: str) -> None:
        said.append(line)
        request.made = not faults

    supervisor = Supervisor(tmp_path, os.environ, request, hear)
    supervisor.adopt("database", begin(""), log, lambda: None, again)
    try:
        with pytest.raises(Stopped):
            supervisor.watch()
        assert [line.split(" and ")[1].split(" yet")[0] for line in said[:2]] == ["could not be started anew"] * 2
        assert "was started anew" in said[2]
    finally:
        processes.stop(begun[-1])


def test_a_server_that_never_starts_anew_stops_all(tmp_path: Path) -> None:
    (prepare(tmp_path) / "logs").mkdir(exist_ok=True)
    log = tmp_path / "logs" / "database.log"
    tries: list[float] = []

    def again() -> processes.Process:
        tries.append(time.monotonic())
        raise StartError("The database did not start.")

    supervisor = Supervisor(tmp_path, os.environ, StopRequest())
    started = processes.start([sys.executable, "-c", "print('no room')"], log=log, cwd=tmp_path, env=os.environ)
    supervisor.adopt("database", started, log, lambda: None, again)
    with pytest.raises(StartError, match=r"database ended with exit code 0; all stopped[\s\S]*no room"):
        supervisor.watch()
    assert 2 <= len(tries) <= 4


def test_stopping_leaves_no_grandchild_even_of_a_child_that_ignores_sigterm(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); pid = os.fork();"
        f"pid and open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{pid}} ') ; time.sleep(60)"
    )
    supervisor.start(_python("stubborn", stubborn))
    pids = _words(tmp_path / "pids", 2)
    supervisor.stop()
    assert [pid for pid in pids if _lives(int(pid))] == []


def test_servers_stop_after_all_children_and_in_reverse(supervisor: Supervisor, tmp_path: Path) -> None:
    order: list[str] = []
    for name in ("database", "broker"):
        process = processes.start(
            [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / name, cwd=tmp_path, env=os.environ
        )

        def stop(name: str = name, process: processes.Process = process) -> None:
            order.append(name)
            processes.stop(process)

        supervisor.adopt(name, process, tmp_path / name, stop)
    supervisor.stop()
    assert order == ["broker", "database"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_whatever_runs(number: signal.Signals) -> None:
    with pytest.raises(Stopped), stopped_by_signals():
        signal.raise_signal(number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_python_swallows_in_a_finalizer_still_stops(tmp_path: Path) -> None:
    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    with stopped_by_signals() as request:
        Finalized()
        with pytest.raises(Stopped):
            Supervisor(prepare(tmp_path), os.environ, request).watch()


def test_a_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"Port {port} is taken by another program.*make run PORT={port + 1}"):
            require_free_port(port)
    require_free_port(port)


def test_a_number_that_is_no_port_is_refused() -> None:
    with pytest.raises(StartError, match="they go from 1 to 65535"):
        require_free_port(70_000)


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, time; from pathlib import Path; from console.runtime import processes; import sys;"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)'];"
        f"child = processes.start(sleep, log=Path({str(tmp_path / 'log')!r}), cwd=Path.cwd(), env=os.environ);"
        f"Path({str(tmp_path / 'pids')!r}).write_text(f'{{child.pid}} '); time.sleep(60)"
    )
    parent = processes.start([sys.executable, "-c", program], log=tmp_path / "out", cwd=Path.cwd(), env=os.environ)
    (pid,) = _words(tmp_path / "pids", 1)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while _lives(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(int(pid))


def test_a_log_that_has_grown_large_goes_on_at_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOG_LIMIT", 10)
    log = tmp_path / "worker.log"
    with log.open("a") as writer:
        writer.write("a long line\n")
        writer.flush()
        processes.trim(log)
        writer.write("short\n")
    processes.trim(log)
    assert (log.read_text(), (tmp_path / "worker.1.log").read_text()) == ("short\n", "a long line\n")


def _words(file: Path, count: int) -> list[str]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if file.exists() and len(words := file.read_text().split()) == count:
            return words
        time.sleep(0.02)
    raise AssertionError(f"{file.name} was not written")


def _lives(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
