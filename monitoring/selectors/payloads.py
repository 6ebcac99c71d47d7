"""Reads back what arrived: rows of the intake log as the payloads they were."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

import zstandard

from monitoring.models import Intake, Run
from monitoring.records import Encoding, Payload, Signal
from monitoring.selectors.visibility import tenant_rows, visible_rows
from partners.permission import require
from partners.roles import Right
from partners.viewer import Viewer


class UnreadablePayload(ValueError):
    """A stored body can't be decompressed. The message names the row; the log may be damaged."""


def payload_of(intake: Intake) -> Payload:
    """Return the stored request as decoding takes it. The caller has checked that the viewer may see it."""
    return Payload(
        signal=Signal(intake.signal),
        encoding=Encoding(intake.encoding),
        body=_decompressed(intake),
        headers=intake.headers,
        received_at=intake.received_at,
    )


def told_of_run(viewer: Viewer, run_id: int) -> tuple[bytes, tuple[Intake, ...]]:
    """Return a run's trace id and the log's rows it was computed from, oldest first; other traces' spans may stand in
    them too. Raises Run.DoesNotExist where the viewer may not see the run."""
    trace_id, ids = visible_rows(viewer, Run).values_list("trace_id", "intakes").get(pk=run_id)
    return bytes(trace_id), intakes(ids)


def intake_get(viewer: Viewer, pk: int) -> Intake:
    """Return one row of the log, whole: for viewers who may see payloads of the whole tenant."""
    require(viewer, Right.VIEW_PAYLOAD)
    return tenant_rows(viewer, Intake).get(pk=pk)


def intakes(ids: Iterable[int]) -> tuple[Intake, ...]:
    """Return the log's rows with these ids, oldest first."""
    return tuple(Intake.objects.filter(pk__in=list(ids)).order_by("received_at", "pk"))


def _decompressed(intake: Intake) -> bytes:
    found = _unpacked(intake)
    if len(found) != intake.size:
        # A zstd stream that was cut short is read to where it ends, without a word.
        raise UnreadablePayload(f"intake {intake.pk} holds {len(found)} bytes, and {intake.size} were received")
    return found


def _unpacked(intake: Intake) -> bytes:
    body = bytes(intake.body)
    try:
        match intake.compression:
            case "gzip":
                return gzip.decompress(body)
            case "zstd":
                with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
                    return reader.read()
            case _:
                return body
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise UnreadablePayload(f"intake {intake.pk} can't be decompressed as {intake.compression}: {error}") from error
