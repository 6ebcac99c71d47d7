# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: embedsignature=False, freethreading_compatible=False
"""OTLP traces in protobuf, from the wire to records: what `otlp_spans` does, compiled, and about ten times as fast.

It reads what is well formed and usual. Anything else is ODD, and handed to the Python that would read it anyway: an
attribute or a span by itself, or, where the frame around the spans is odd, the whole body. So there is one meaning, and
no byte is read beyond the message that it stands in.
"""

from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_SET_ITEM
from libc.string cimport memset

from google.protobuf.message import DecodeError as _DecodeError

from monitoring import records as _records
from monitoring.decode import faults as _faults, otlp_spans as _otlp_spans, remembered as _remembered
from monitoring.decode import values as _values, wire_spans as _wire_spans

cdef object ODD = object()
cdef object DecodeError = _DecodeError, Poison = _values.Poison
cdef object SpanRecord = _records.SpanRecord, SpanEvent = _records.SpanEvent, SpanLink = _records.SpanLink
cdef object Rejection = _records.Rejection
cdef object PAIRS = _remembered.PAIRS, pair_of = _remembered.pair_of, shared = _remembered.shared
cdef object span_record = _otlp_spans.span_record, wire_span = _wire_spans.wire_span
cdef tuple KINDS = tuple(_records.SpanKind), STATUSES = tuple(_records.StatusCode), NONE = ()
cdef object UNSET = _records.StatusCode.UNSET
#: What is longer may have to be cut.
cdef Py_ssize_t LONGEST_TEXT = _values.SHORT_TEXT, LONGEST_BYTES = _values.MAX_TEXT
cdef Py_ssize_t LONGEST_REMEMBERED = _remembered.LONGEST_REMEMBERED, CUT_BYTES = len(_values.CUT.encode())
cdef object CUT = _values.CUT
cdef unsigned long long LATEST = _faults.MAX_NS

include "wire.pxi"
include "texts.pxi"
include "values.pxi"
include "spans.pxi"
include "counts.pxi"
include "fields.pxi"
include "frames.pxi"

cdef extern from *:
    """
    #ifndef SOURCE_DIGEST
    #define SOURCE_DIGEST "unknown"
    #endif
    static const char *source_digest = SOURCE_DIGEST;
    """
    const char *source_digest

#: What this was compiled from (`build.digest`).
BUILT_FROM = source_digest.decode()

if SpanRecord._fields != (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status", "status_message",
    "scope_name", "resource", "attributes", "events", "links",
):  # fmt: skip
    raise ImportError("a span record has other fields than the compiled walk fills")
