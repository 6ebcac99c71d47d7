"""One span, with its events, links and status."""

cdef extern from *:
    """
    /* What tuple.__new__ does for a named tuple, without the tuple that it copies from. */
    static CYTHON_INLINE PyObject *blank_record(PyObject *type, Py_ssize_t size) {
        return ((PyTypeObject *) type)->tp_alloc((PyTypeObject *) type, size);
    }
    """
    object blank_record(object kind, Py_ssize_t size)

cdef struct Piece:
    Place at
    Py_ssize_t size


cdef inline bint took(Piece *piece, Place *at, Place end) noexcept nogil:
    """Note where a field of bytes lies and move past it; false if it is broken."""
    piece.size = sized(at, end)
    if piece.size < 0:
        return False
    piece.at = at[0]
    at[0] += piece.size
    return True


cdef inline bint timed(uint64_t *instant, Place *at, Place end) noexcept nogil:
    if end - at[0] < 8:
        return False
    instant[0] = little(at[0])
    at[0] += 8
    return True


cdef inline bint is_zero(Piece *identifier) noexcept nogil:
    """Whether an id of 8 or 16 bytes is all zeros."""
    return eight(identifier.at) == 0 and eight(identifier.at + identifier.size - 8) == 0


cdef struct Fields:
    Piece trace
    Piece own
    Piece parent
    Piece name
    Piece status
    uint64_t start
    uint64_t end
    uint8_t kind


cdef bint is_sound(Fields *fields) noexcept nogil:
    """Whether `faults.span_fault` has nothing to say against ids and times."""
    return (
        fields.trace.size == 16
        and fields.own.size == 8
        and (fields.parent.size == 0 or fields.parent.size == 8)
        and not is_zero(&fields.trace)
        and not is_zero(&fields.own)
        and 0 < fields.start <= LATEST
        and (fields.end == 0 or fields.start <= fields.end <= LATEST)
    )


cdef object span_of(Place at, Place end, scope, resource):
    """The span as a record; or ODD."""
    cdef Fields fields
    cdef Piece piece
    cdef dict attributes = {}
    cdef list events = None
    cdef list links = None
    cdef uint8_t tag
    memset(&fields, 0, sizeof(Fields))
    while at < end:
        tag = at[0]
        at += 1
        if tag == 0x4A:
            if not took(&piece, &at, end) or not put_any(attributes, piece.at, at):
                return ODD
        elif tag == 0x5A or tag == 0x6A:
            if not took(&piece, &at, end):
                return ODD
            if tag == 0x5A:
                found = event_of(piece.at, at)
                events = [] if events is None else events
                events.append(found)
            else:
                found = link_of(piece.at, at)
                links = [] if links is None else links
                if found is not None:
                    links.append(found)
            if found is ODD:
                return ODD
        elif not took_plain(tag, &fields, &at, end):
            return ODD
    if not is_sound(&fields):
        return ODD
    return recorded(&fields, scope, resource, attributes, events, links)


cdef inline bint took_plain(uint8_t tag, Fields *fields, Place *at, Place end) noexcept nogil:
    """Note a span's field that stands for itself; false if it is odd."""
    cdef Piece skipped
    if tag == 0x0A:
        return took(&fields.trace, at, end)
    if tag == 0x12:
        return took(&fields.own, at, end)
    if tag == 0x22:
        return took(&fields.parent, at, end)
    if tag == 0x2A:
        return took(&fields.name, at, end)
    if tag == 0x39:
        return timed(&fields.start, at, end)
    if tag == 0x41:
        return timed(&fields.end, at, end)
    if tag == 0x30:
        # A kind of several bytes is none that is known, or is spelled oddly.
        if at[0] == end or at[0][0] >= 0x80:
            return False
        fields.kind = at[0][0]
        at[0] += 1
        return True
    if tag == 0x7A:
        # A status that is sent twice is merged by protobuf.
        return fields.status.at == NULL and took(&fields.status, at, end)
    if tag == 0x1A:
        return took(&skipped, at, end)
    if tag == 0x50 or tag == 0x60 or tag == 0x70:
        return passed(at, end, 0)
    if tag == 0x85 and end - at[0] >= 5 and at[0][0] == 0x01:
        # The flags: a tag of two bytes and a number of four.
        at[0] += 5
        return True
    return False


cdef object recorded(Fields *fields, scope, resource, dict attributes, list events, list links):
    """The record of sound fields; or ODD."""
    name = key_of(fields.name.at, fields.name.size)
    code, message = UNSET, ""
    if fields.status.size:
        code, message = status_of(fields.status.at, fields.status.at + fields.status.size)
    if name is ODD or message is ODD:
        return ODD
    parent = None
    if fields.parent.size and not is_zero(&fields.parent):
        parent = id_of(fields.parent.at, 8)
    record = blank_record(SpanRecord, 14)
    filled(record, 0, id_of(fields.trace.at, 16))
    filled(record, 1, id_of(fields.own.at, 8))
    filled(record, 2, parent)
    filled(record, 3, name)
    filled(record, 4, <object> PyTuple_GET_ITEM(KINDS, fields.kind if fields.kind < len(KINDS) else 0))
    filled(record, 5, fields.start)
    filled(record, 6, fields.end)
    filled(record, 7, code)
    filled(record, 8, message)
    filled(record, 9, scope)
    filled(record, 10, resource)
    filled(record, 11, attributes)
    filled(record, 12, NONE if events is None else tuple(events))
    filled(record, 13, NONE if links is None else tuple(links))
    return record


cdef inline void filled(record, Py_ssize_t place, value) noexcept:
    Py_INCREF(value)
    PyTuple_SET_ITEM(record, place, value)


cdef tuple status_of(Place at, Place end):
    """A status's code and message; the message is ODD if the status is."""
    cdef Piece message
    cdef uint8_t tag, code = 0
    message.at, message.size = NULL, 0
    while at < end:
        tag = at[0]
        at += 1
        if tag == 0x12:
            # Of texts that are sent twice the last counts, but protobuf reads them all.
            if message.at != NULL or not took(&message, &at, end):
                return UNSET, ODD
        elif tag == 0x18 and at < end and at[0] < 0x80:
            code = at[0]
            at += 1
        else:
            return UNSET, ODD
    text = text_of(message.at, message.size) if message.size else ""
    return STATUSES[code] if code < len(STATUSES) else UNSET, text


cdef object event_of(Place at, Place end):
    """The event; or ODD."""
    cdef Piece name
    cdef Piece piece
    cdef uint64_t instant = 0
    cdef dict attributes = {}
    cdef uint8_t tag
    name.at, name.size = NULL, 0
    while at < end:
        tag = at[0]
        at += 1
        if tag == 0x1A:
            if not took(&piece, &at, end) or not put(attributes, piece.at, at, 0):
                return ODD
        elif tag == 0x12:
            if name.at != NULL or not took(&name, &at, end):
                return ODD
        elif tag == 0x09:
            if not timed(&instant, &at, end):
                return ODD
        elif tag != 0x20 or not passed(&at, end, 0):
            return ODD
    text = key_of(name.at, name.size) if name.size else ""
    return ODD if text is ODD or instant > LATEST else SpanEvent(text, instant, attributes)


cdef object link_of(Place at, Place end):
    """The link, None where it names no span; or ODD."""
    cdef Piece trace
    cdef Piece span
    cdef Piece piece
    cdef dict attributes = {}
    cdef uint8_t tag
    trace.size = span.size = 0
    while at < end:
        tag = at[0]
        at += 1
        if tag == 0x0A:
            if not took(&trace, &at, end):
                return ODD
        elif tag == 0x12:
            if not took(&span, &at, end):
                return ODD
        elif tag == 0x1A:
            # The trace state, which says nothing here but must be text.
            if not took(&piece, &at, end) or not is_plain_ascii(piece.at, piece.size):
                return ODD
        elif tag == 0x22:
            if not took(&piece, &at, end) or not put(attributes, piece.at, at, 0):
                return ODD
        elif tag not in (0x28, 0x35) or not passed(&at, end, tag & 7):
            return ODD
    if trace.size != 16 or span.size != 8:
        return None
    return SpanLink(id_of(trace.at, 16), id_of(span.at, 8), attributes)
