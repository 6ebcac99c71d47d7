"""Automations that nobody has claimed: small jobs someone once set up, and old ones that say next to nothing."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.trace import SpanKind

from console.plant.flows.contract import Flow
from console.plant.sheet import Sheet


def _small_job(service: str, name: str, steps: tuple[tuple[str, float], ...]) -> Callable[[Sheet], None]:
    def draw(sheet: Sheet) -> None:
        with sheet.step(service, name, {"job.schedule": "every 90 minutes"}):
            for step, median_s in steps:
                with sheet.step(service, step):
                    sheet.toil(median_s, 0.5)

    return draw


def _file_drop(sheet: Sheet) -> None:
    """A script from before anyone thought of tracing, wrapped as one span."""
    with sheet.step("ftp-batch", "put stock list", {"file.name": "STOCK.CSV"}, kind=SpanKind.CLIENT):
        sheet.toil(40.0, 0.8)


FLOWS = (
    Flow("price_list_import", _small_job("price-import", "import price list", (("read file", 2.0), ("upsert", 6.0)))),
    Flow("tool_calibration", _small_job("tool-room", "sync calibration dates", (("query", 1.0), ("write back", 2.0)))),
    Flow("label_reprint", _small_job("label-printer", "reprint labels", (("render", 0.6), ("print", 3.0)))),
    Flow("scrap_report", _small_job("report-mailer", "mail scrap report", (("query", 4.0), ("send mail", 1.0)))),
    Flow("energy_meter_upload", _small_job("meter-reader", "upload meter readings", (("read", 2.0), ("upload", 1.5)))),
    Flow("file_drop", _file_drop),
)
#: Flows that no mapping rule claims, on purpose: they stand in the queue of automations without a process.
NAMES = frozenset(flow.name for flow in FLOWS)
