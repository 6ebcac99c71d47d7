"""Whether a body is surely within the limits, by a walk that makes nothing. What leaves a doubt, `wire_scan` decides.

Each figure here is at least what `wire_scan` would count. A value that is not plain (a list, a map, something unknown)
is not looked into: each field in it takes two bytes, so its size bounds what it can hold.
"""

cdef struct Counts:
    Py_ssize_t envelopes
    Py_ssize_t items
    Py_ssize_t attributes
    Py_ssize_t events
    Py_ssize_t links
    Py_ssize_t opaque  # Fields that values may hold: each might be a nested value or a stray.
    Py_ssize_t around  # Fields around the items.
    Py_ssize_t fields
    Py_ssize_t most_items

#: A message with more plain fields than this has strays; see wire_scan.
cdef enum:
    PLAIN_FIELDS = 16
    MOST_AROUND = 250_000


cdef bint is_within(bytes body, limits) except -1:
    """Whether the body surely holds no more than the limits allow."""
    cdef Counts counts
    cdef Place at = <Place> PyBytes_AS_STRING(body)
    memset(&counts, 0, sizeof(Counts))
    counts.most_items = limits.items
    if not count_request(at, at + PyBytes_GET_SIZE(body), &counts):
        return False
    return (
        counts.items <= counts.most_items
        and counts.envelopes <= limits.envelopes
        and counts.attributes <= limits.attributes
        and counts.events <= limits.events
        and counts.links <= limits.links
        and counts.opaque <= min(limits.values, limits.strays)
        and counts.around <= MOST_AROUND
        and counts.around + counts.fields + counts.opaque <= limits.fields
    )


cdef bint count_request(Place at, Place end, Counts *counts) noexcept nogil:
    cdef Py_ssize_t size
    while at < end:
        if at[0] != 0x0A:
            return False
        at += 1
        size = sized(&at, end)
        if size < 0 or not count_group(at, at + size, 0x0A, counts):
            return False
        counts.envelopes += 1
        at += size
    return True


cdef bint count_group(Place at, Place end, uint8_t attribute, Counts *counts) noexcept nogil:
    """A resource's group, or, where what is shared has attributes of that number, a scope's group and its spans."""
    cdef Py_ssize_t size
    cdef int plain = 0
    cdef uint8_t tag
    while at < end:
        tag = at[0]
        at += 1
        size = sized(&at, end) if tag in (0x0A, 0x12, 0x1A) else -1
        if size < 0:
            return False
        if tag == 0x12 and attribute == 0x0A:
            counts.envelopes += 1
            if not count_group(at, at + size, 0x1A, counts):
                return False
        elif tag == 0x12:
            counts.items += 1
            if counts.items > counts.most_items or not count_span(at, at + size, counts):
                return False
        else:
            plain += 1
            counts.around += 1
            if plain > PLAIN_FIELDS or (tag == 0x0A and not count_described(at, at + size, attribute, counts)):
                return False
        at += size
    return True


cdef bint count_span(Place at, Place end, Counts *counts) noexcept nogil:
    cdef Py_ssize_t size
    cdef int plain = 0
    cdef uint8_t tag
    while at < end:
        tag = at[0]
        at += 1
        if tag == 0x4A or tag == 0x5A or tag == 0x6A:
            size = sized(&at, end)
            if size < 0:
                return False
            if tag == 0x4A:
                count_attribute(at, at + size, counts)
            elif tag == 0x5A:
                counts.events += 1
                if not count_described(at, at + size, 0x1A, counts):
                    return False
            else:
                counts.links += 1
                if not count_described(at, at + size, 0x22, counts):
                    return False
            at += size
            continue
        plain += 1
        if tag == 0x85:
            # The flags' tag takes two bytes.
            if at >= end or at[0] != 0x01:
                return False
            at += 1
        elif tag > 0x85:
            return False
        if plain > PLAIN_FIELDS or not passed(&at, end, tag & 7):
            return False
    counts.fields += plain
    return True


cdef bint count_described(Place at, Place end, uint8_t attribute, Counts *counts) noexcept nogil:
    """A message with attributes of that number: a resource, scope, event or link."""
    cdef Py_ssize_t size
    cdef int plain = 0
    cdef uint8_t tag
    while at < end:
        tag = at[0]
        at += 1
        if tag == attribute:
            size = sized(&at, end)
            if size < 0:
                return False
            count_attribute(at, at + size, counts)
            at += size
            continue
        plain += 1
        # A resource's third field names entities, which count as values.
        if tag >= 0x80 or plain > PLAIN_FIELDS or (attribute == 0x0A and tag == 0x1A):
            return False
        if not passed(&at, end, tag & 7):
            return False
    counts.fields += plain
    return True


cdef void count_attribute(Place at, Place end, Counts *counts) noexcept nogil:
    cdef Pair pair
    counts.attributes += 1
    counts.fields += 3
    if not (paired(at, end, &pair) and is_scalar(pair.value, pair.value + pair.value_size)):
        counts.opaque += (end - at) // 2


cdef inline bint is_scalar(Place at, Place end) noexcept nogil:
    """Whether the AnyValue is one text, byte string, number or truth, or nothing."""
    cdef uint8_t tag
    if at == end:
        return True
    tag = at[0]
    if tag not in (0x0A, 0x10, 0x18, 0x21, 0x3A):
        return False
    at += 1
    return passed(&at, end, tag & 7) and at == end
