from monitoring.decode.limits import Limits
from monitoring.records import Rejection, SpanRecord

BUILT_FROM: str

def spans_in(body: bytes, only: bytes | None = None) -> tuple[list[SpanRecord], list[Rejection]] | None: ...
def is_within_limits(body: bytes, limits: Limits) -> bool: ...
