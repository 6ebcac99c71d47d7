"""What `wire_scan` counts in a body, by the same walk, compiled: a body of a million fields is refused in milliseconds.

The shapes are laid out as a table, so the walk needs nothing of Python's and other threads run meanwhile.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free

cdef enum:
    #: The numbers of those of wire_scan's counts that the walk itself asks for.
    COUNT_ATTRIBUTES = 2
    COUNT_VALUES = 5
    COUNT_FIELDS = 6
    COUNT_STRAYS = 7
    COUNT_PACKED = 8
    COUNTS = 9
    WITHIN = -1
    #: As deep as wire_scan goes.
    DEEPEST_COUNTED = 110
    #: All counted fields have tags of one byte.
    TAGS = 128

cdef struct Field:
    int count
    #: The place in the table of the message inside; 0 where it has no counted fields.
    int inside

cdef struct Budgets:
    Py_ssize_t left[COUNTS]
    Py_ssize_t least
    const Field *fields


cdef class Counter:
    """One shape of `wire_scan`, to be walked many times."""

    cdef Field *fields

    def __cinit__(self, dict shape not None):
        cdef list shapes = [{}, shape]
        cdef dict places = {id(shape): 1}
        for known in shapes:
            for _, inner in known.values():
                if inner and id(inner) not in places:
                    places[id(inner)] = len(shapes)
                    shapes.append(inner)
        self.fields = <Field *> PyMem_Calloc(len(shapes) * TAGS, sizeof(Field))
        if self.fields == NULL:
            raise MemoryError
        for place, known in enumerate(shapes):
            for tag in range(TAGS):
                count, inner = known.get(tag, (COUNT_FIELDS, None))
                self.fields[<int> place * TAGS + <int> tag] = Field(count, places[id(inner)] if inner else 0)

    def __dealloc__(self):
        PyMem_Free(self.fields)

    def passed(self, bytes body not None, list budgets not None, Py_ssize_t least):
        """The number of the first count that passes its budget, or None."""
        cdef Budgets own
        cdef Place at = <Place> PyBytes_AS_STRING(body)
        cdef Place end = at + PyBytes_GET_SIZE(body)
        cdef int count
        for count in range(COUNTS):
            own.left[count] = budgets[count]
        own.least, own.fields = least, self.fields
        with nogil:
            count = count_fields(1, at, end, &own, 0)
        return None if count == WITHIN else count


cdef inline int spend(Budgets *budgets, int count, uint64_t cost) noexcept nogil:
    """Take the cost off a budget; its number if that was too much."""
    budgets.left[count] -= <Py_ssize_t> cost
    return count if budgets.left[count] < 0 else WITHIN


cdef int count_fields(int place, Place at, Place end, Budgets *budgets, int depth) noexcept nogil:
    """Count the message's fields; a message that breaks the format is left at the break."""
    cdef Field field
    cdef uint64_t tag, size
    cdef int wire, plain = PLAIN_FIELDS, spent
    while at < end:
        tag = number_at(&at, end)
        if at == end:
            return WITHIN
        field.count, field.inside = COUNT_FIELDS, 0
        if tag < TAGS:
            field = budgets.fields[place * TAGS + <int> tag]
        spent = spend(budgets, field.count, 1)
        if spent == WITHIN and field.count == COUNT_FIELDS:
            plain -= 1
            spent = spend(budgets, COUNT_STRAYS, 1) if plain < 0 else WITHIN
        if spent != WITHIN:
            return spent
        wire = tag & 7
        size = 8 if wire == 1 else 4 if wire == 5 else 0
        if wire > 5:
            return WITHIN
        if wire == 0:
            number_at(&at, end)
        elif wire == 2:
            size = number_at(&at, end)
            if size > <uint64_t> (end - at):
                return WITHIN
            if field.count == COUNT_PACKED:
                spent = spend(budgets, COUNT_VALUES, size)
            elif (
                field.inside and <Py_ssize_t> size > budgets.least and depth < DEEPEST_COUNTED
                and (field.count != COUNT_ATTRIBUTES or not is_plain_pair(at, at + size))
            ):
                spent = count_fields(field.inside, at, at + size, budgets, depth + 1)
            if spent != WITHIN:
                return spent
        at = at + size if size < <uint64_t> (end - at) else end
    return WITHIN


cdef inline uint64_t number_at(Place *at, Place end) noexcept nogil:
    """Read the number at the place, which moves past it; what has no end is the greatest, and leaves nothing behind.

    One of more than 64 bits keeps its lowest bits and is too great for a tag or a length."""
    cdef Place here = at[0]
    cdef uint64_t found = 0
    cdef int shift = 0
    while here < end and shift < 70:
        found |= <uint64_t> (here[0] & 0x7F) << shift
        if shift == 63 and here[0] & 0x7E:
            found |= <uint64_t> 1 << 63
        if here[0] < 0x80:
            at[0] = here + 1
            return found
        here += 1
        shift += 7
    at[0] = end
    return <uint64_t> -1


cdef inline bint is_plain_pair(Place at, Place stop) noexcept nogil:
    """Whether the KeyValue is a short key and a short text and nothing else, as most are."""
    cdef Py_ssize_t size = stop - at
    cdef Py_ssize_t value
    if size < 6 or at[0] != 0x0A:
        return False
    value = 2 + at[1]
    return (
        value + 4 <= size < value + 0x80
        and at[value] == 0x12
        and at[value + 2] == 0x0A
        and at[value + 1] == size - value - 2
        and at[value + 3] == size - value - 4
    )
