"""The frame around the spans: resources, in each its scopes, in each its spans."""

cdef enum:
    #: After so many spans other threads may run.
    TURN = 256


cdef class Reading:
    """What one walk has gathered. `only` is the trace that is wanted, None for all; `met` where it is named next."""

    cdef list spans
    cdef list rejections
    cdef Py_ssize_t index
    cdef bytes body
    cdef bytes only
    cdef Place met

    def __cinit__(self, bytes body, bytes only):
        self.spans, self.rejections, self.index = [], [], 0
        self.body, self.only = body, only
        self.met = <Place> PyBytes_AS_STRING(body)
        if only is not None:
            self.seek(self.met)

    cdef int seek(self, Place start) except -1:
        """Look for the wanted trace from there on; where it is not named again, that is the end of the body."""
        cdef Place begin = <Place> PyBytes_AS_STRING(self.body)
        cdef Py_ssize_t place = self.body.find(self.only, start - begin)
        self.met = begin + (PyBytes_GET_SIZE(self.body) if place < 0 else place)
        return 0

    cdef bint whole(self) except -1:
        """Read the body; false if its frame is odd."""
        cdef Place at = <Place> PyBytes_AS_STRING(self.body)
        cdef Place end = at + PyBytes_GET_SIZE(self.body)
        cdef Piece group
        while at < end:
            if at[0] != 0x0A:
                return False
            at += 1
            if not took(&group, &at, end) or not self.group(group.at, at):
                return False
        return True

    cdef bint group(self, Place at, Place end) except -1:
        """Read the scopes of one resource, which has to come before them."""
        cdef Piece resource
        cdef Piece piece
        cdef uint8_t tag
        cdef bint is_begun = False
        resource.at, resource.size = at, 0
        while at < end:
            tag = at[0]
            at += 1
            if tag not in (0x0A, 0x12, 0x1A) or not took(&piece, &at, end):
                return False
            if tag == 0x12:
                is_begun = True
                if not self.scope(piece.at, at, &resource):
                    return False
            elif tag == 0x0A:
                if is_begun:
                    return False
                is_begun = True
                resource = piece
        return True

    cdef bint scope(self, Place at, Place end, Piece *resource) except -1:
        """Read the spans of one scope, which has to come before them."""
        cdef Piece scope
        cdef Piece piece
        cdef uint8_t tag
        cdef bint is_named = False
        described = name = None
        scope.at, scope.size = at, 0
        while at < end:
            tag = at[0]
            at += 1
            if tag not in (0x0A, 0x12, 0x1A) or not took(&piece, &at, end):
                return False
            if tag == 0x0A:
                if is_named or described is not None:
                    return False
                is_named = True
                scope = piece
            elif tag == 0x12 and (self.only is None or self.names_wanted(piece.at, at)):
                if described is None:
                    described, name = shared(bytes_in(resource), bytes_in(&scope))
                if described is None or not self.span(&piece, name, described):
                    return False
        return True

    cdef bint names_wanted(self, Place at, Place end) except -1:
        if self.met < at:
            self.seek(at)
        return self.met < end

    cdef bint span(self, Piece *piece, scope, resource) except -1:
        """Read one span; false if it breaks the body."""
        found = span_of(piece.at, piece.at + piece.size, scope, resource)
        if found is ODD:
            try:
                span = wire_span(bytes_in(piece))
            except DecodeError:
                return False
            try:
                found = span_record(span, scope, resource)
            except Poison as poison:
                found = None
                self.rejections.append(Rejection(self.index, str(poison), span.span_id[:8].hex()))
        if found is not None and (self.only is None or found[0] == self.only):
            self.spans.append(found)
        self.index += 1
        if self.index % TURN == 0:
            with nogil:
                pass
        return True


cdef inline bytes bytes_in(Piece *piece):
    return PyBytes_FromStringAndSize(<const char *> piece.at, piece.size)


def spans_in(bytes body not None, bytes only=None):
    """The spans and rejections of the body, or, with `only`, of that trace; None if Python has to read the body."""
    cdef Reading reading = Reading(body, only)
    return (reading.spans, reading.rejections) if reading.whole() else None


def is_within_limits(bytes body not None, limits):
    """Whether the body surely holds no more than `limits` allow; false leaves the question to `wire_scan`."""
    return is_within(body, limits)
