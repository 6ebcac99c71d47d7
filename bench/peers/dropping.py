"""The limit of receiving: unpack and parse each request, and forget it. One process, no HTTP, no database."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.generator import read
from bench.system import Load, Taken


class Dropping:
    """gunzip and protobuf's own parser."""

    name = "decode and drop"
    database_name = ""

    def pids(self) -> Mapping[str, int]:
        return {}

    def take(self, load: Load) -> Taken:
        bodies = read(load.file)
        begun = time.monotonic()
        for body in bodies:
            ExportTraceServiceRequest.FromString(gzip.decompress(body))
        return Taken(time.monotonic() - begun)

    def stop(self) -> None:
        """Nothing runs."""
