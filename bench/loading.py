"""Fills a tenant with fresh spans, built while they are sent: `python -m bench.loading ADDRESS SPANS SEED < KEY`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from bench.andon import Andon, Tenant
from bench.generator import Sender, Sent
from bench.payloads import REQUESTS_IN_BATCH, SPANS, Source


def bodies(spans: int, seed: int) -> Iterator[bytes]:
    """At least so many spans, by whole batches."""
    for batch in Source(seed).batches(-(-spans // (SPANS * REQUESTS_IN_BATCH))):
        yield from batch.bodies


def fill(andon: Andon, tenants: Sequence[Tenant], spans: int) -> tuple[int, float]:
    """Spread the spans over the tenants, each with a sender of its own; return how many were sent, and in what time."""
    senders = []
    for number, tenant in enumerate(tenants):
        command = [sys.executable, "-m", "bench.loading", andon.address, str(spans // len(tenants)), str(100 + number)]
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert sender.stdin is not None
        sender.stdin.write(tenant.ingest_key + "\n")
        sender.stdin.close()
        senders.append(sender)
    told = []
    for sender in senders:
        assert sender.stdout is not None
        said = sender.stdout.read()
        if sender.wait() != 0:
            raise SystemExit("Filling failed; what the server answered stands above.")
        told.append(Sent(**json.loads(said)))
    seconds = max(sent.ended for sent in told) - min(sent.begun for sent in told)
    return sum(sent.requests for sent in told) * SPANS, seconds


def main(address: str, spans: int, seed: int) -> None:
    """Send; tell what it came to."""
    key = sys.stdin.readline().strip()
    sent = Sender(address, "/v1/traces", {"authorization": f"Bearer {key}"}, 1).send(bodies(spans, seed))
    sent.latencies = []
    print(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
