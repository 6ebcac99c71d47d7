"""How much of the machine is used unless told, and whether the database allows it."""

from __future__ import annotations

import os

from console.databases import connections
from console.roles import OWNER
from console.runtime import capacity
from tests import servers


def test_it_starts_a_web_worker_for_each_core_unless_told() -> None:
    assert 1 <= capacity.web_workers({}) <= min(8, os.cpu_count() or 1)
    assert capacity.web_workers({"ANDON_WEB_WORKERS": "3"}) == 3


def test_it_says_how_many_connections_may_be_open() -> None:
    told = {"ANDON_WEB_WORKERS": "2", "ANDON_INTAKE_THREADS": "4", "ANDON_DATABASE_POOL": "12"}
    assert capacity.connections_needed(told, grpc=False) == 2 * (4 + 12 + 4) + 8
    assert capacity.connections_needed(told, grpc=True) == 2 * (4 + 12 + 4) + 8 + 8


def test_it_says_so_where_the_server_allows_fewer(database_server: None) -> None:
    server = connections(servers.urls(servers.run_home(), servers.TEMPLATE))[OWNER]
    assert capacity.shortage(server, {"ANDON_WEB_WORKERS": "2"}, grpc=False) == ""
    said = capacity.shortage(server, {"ANDON_WEB_WORKERS": "20"}, grpc=False)
    assert said.startswith("may open 408 connections where the server allows")
