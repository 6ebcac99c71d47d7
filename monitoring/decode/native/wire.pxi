"""The wire itself: numbers and lengths. Each reader is told where the message ends, and never looks further."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

ctypedef const uint8_t *Place



cdef inline Py_ssize_t sized(Place *at, Place end) noexcept nogil:
    """Read the length at the place, which moves on to what it measures; -1 if it is odd or reaches past the end."""
    cdef Place here = at[0]
    cdef Py_ssize_t size
    cdef int shift = 7
    cdef uint8_t byte
    if here >= end:
        return -1
    size = here[0]
    here += 1
    if size >= 0x80:
        size &= 0x7F
        while True:
            if here >= end or shift > 21:
                return -1
            byte = here[0]
            here += 1
            size |= <Py_ssize_t> (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
    if size > end - here:
        return -1
    at[0] = here
    return size


cdef inline bint counted(Place *at, Place end, uint64_t *number) noexcept nogil:
    """Read the number at the place, which moves past it; false if it is odd or has no end."""
    cdef Place here = at[0]
    cdef uint64_t found = 0
    cdef int shift = 0
    cdef uint8_t byte
    while here < end and shift < 63:
        byte = here[0]
        here += 1
        found |= <uint64_t> (byte & 0x7F) << shift
        if byte < 0x80:
            number[0] = found
            at[0] = here
            return True
        shift += 7
    # The tenth byte holds the last bit of 64.
    if here >= end or here[0] > 1:
        return False
    number[0] = found | <uint64_t> here[0] << 63
    at[0] = here + 1
    return True


cdef inline bint passed(Place *at, Place end, int wire) noexcept nogil:
    """Move past a field of this wire type; false for groups and for what is broken."""
    cdef uint64_t number
    cdef Py_ssize_t size
    if wire == 0:
        return counted(at, end, &number)
    if wire == 2:
        size = sized(at, end)
        if size < 0:
            return False
    elif wire == 1:
        size = 8
    elif wire == 5:
        size = 4
    else:
        return False
    if size > end - at[0]:
        return False
    at[0] += size
    return True


cdef inline uint64_t eight(Place at) noexcept nogil:
    """The eight bytes at the place as a number, in this machine's order."""
    cdef uint64_t found
    memcpy(&found, at, 8)
    return found


cdef inline uint64_t little(Place at) noexcept nogil:
    """The eight bytes at the place as the wire means them, the last being the highest."""
    cdef uint64_t found = 0
    cdef int byte
    for byte in range(8):
        found |= <uint64_t> at[byte] << 8 * byte
    return found


cdef struct Pair:
    Place key
    Py_ssize_t key_size
    Place value
    Py_ssize_t value_size


cdef inline bint paired(Place at, Place end, Pair *pair) noexcept nogil:
    """Read a KeyValue of the usual layout, a key and then a value and nothing else; false for any other."""
    if at >= end or at[0] != 0x0A:
        return False
    at += 1
    pair.key_size = sized(&at, end)
    if pair.key_size < 0:
        return False
    pair.key = at
    at += pair.key_size
    if at >= end or at[0] != 0x12:
        return False
    at += 1
    pair.value_size = sized(&at, end)
    pair.value = at
    return pair.value_size >= 0 and at + pair.value_size == end
