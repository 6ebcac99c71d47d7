"""Attributes, and the values that they have."""

from libc.math cimport isfinite

cdef enum:
    #: Lists and maps deeper than this are read by protobuf, which knows where depth ends.
    DEEPEST = 16


cdef object value_of(Place at, Place end, int depth):
    """The AnyValue as plain Python; or ODD."""
    cdef uint8_t tag
    cdef uint64_t number
    cdef double real
    cdef Py_ssize_t size
    if at == end:
        return None
    tag = at[0]
    at += 1
    if tag == 0x0A:
        size = sized(&at, end)
        return text_of(at, size) if size >= 0 and at + size == end else ODD
    if tag == 0x18:
        return <int64_t> number if counted(&at, end, &number) and at == end else ODD
    if tag == 0x10:
        return at[0] == 1 if at + 1 == end and at[0] < 2 else ODD
    if tag == 0x21:
        if at + 8 != end:
            return ODD
        number = little(at)
        memcpy(&real, &number, 8)
        return real if isfinite(real) else ODD
    if tag not in (0x2A, 0x32, 0x3A):
        return ODD
    size = sized(&at, end)
    if size < 0 or at + size != end:
        return ODD
    if tag == 0x3A:
        return PyBytes_FromStringAndSize(<const char *> at, size) if size <= LONGEST_BYTES else ODD
    if depth >= DEEPEST:
        return ODD
    return list_of(at, end, depth + 1) if tag == 0x2A else map_of(at, end, depth + 1)


cdef object list_of(Place at, Place end, int depth):
    """The ArrayValue as a list; or ODD."""
    cdef list found = []
    cdef Py_ssize_t size
    while at < end:
        if at[0] != 0x0A:
            return ODD
        at += 1
        size = sized(&at, end)
        value = value_of(at, at + size, depth) if size >= 0 else ODD
        if value is ODD:
            return ODD
        found.append(value)
        at += size
    return found


cdef object map_of(Place at, Place end, int depth):
    """The KeyValueList as a dictionary; or ODD."""
    cdef dict found = {}
    cdef Py_ssize_t size
    while at < end:
        if at[0] != 0x0A:
            return ODD
        at += 1
        size = sized(&at, end)
        if size < 0 or not put(found, at, at + size, depth):
            return ODD
        at += size
    return found


cdef inline bint put(dict found, Place at, Place end, int depth) except -1:
    """Put the KeyValue into the dictionary; false if it is odd."""
    cdef Pair pair
    if not paired(at, end, &pair):
        return False
    key = key_of(pair.key, pair.key_size)
    if key is ODD:
        return False
    value = value_of(pair.value, pair.value + pair.value_size, depth)
    if value is ODD:
        return False
    found[key] = value
    return True


cdef bint put_any(dict found, Place at, Place end) except -1:
    """Put an attribute of a span into the dictionary, however it is written; false if it can't be read."""
    if put(found, at, end, 0):
        return True
    try:
        raw = PyBytes_FromStringAndSize(<const char *> at, end - at)
        key, value = PAIRS[raw] if end - at <= LONGEST_REMEMBERED else pair_of(raw)
    except Poison:
        return False
    found[key] = value
    return True
