"""Texts and ids that were met before are not made anew: a plant says the same words over and over.

What is remembered is bounded: each text has one place in a table, where the next that is due there takes it. A text
that was met again since it came there is spared once, so words outlast ids. Tables are only touched where no Python
code runs, so threads can't meet in one.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from cpython.unicode cimport PyUnicode_DecodeASCII, PyUnicode_DecodeUTF8

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 highest)
    void *PyUnicode_1BYTE_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyUnicode_IS_ASCII(object text)

cdef struct Known:
    PyObject *text
    bint met

cdef enum:
    LONGEST_KNOWN = 128
    KEYS = 2048
    TEXTS = 8192
    IDS = 4096

cdef Known keys[KEYS]
cdef Known texts[TEXTS]
cdef PyObject *ids[IDS]


cdef inline uint64_t mixed(Place at, Py_ssize_t size) noexcept nogil:
    """A number for the text: from its length, its first, middle and last eight bytes."""
    cdef uint64_t found = <uint64_t> size
    cdef Py_ssize_t place
    if size >= 8:
        found ^= eight(at) * <uint64_t> 0x9E3779B97F4A7C15
        found ^= eight(at + size // 2 - 4) * <uint64_t> 0xC2B2AE3D27D4EB4F
        found ^= eight(at + size - 8) * <uint64_t> 0xD6E8FEB86659FD93
    else:
        for place in range(size):
            found = (found ^ at[place]) * <uint64_t> 0x9E3779B97F4A7C15
    found ^= found >> 32
    found *= <uint64_t> 0x9E3779B97F4A7C15
    return found >> 40


cdef inline bint is_plain_ascii(Place at, Py_ssize_t size) noexcept nogil:
    """Whether no byte is nought or beyond ASCII."""
    cdef uint64_t word, seen = 0
    cdef Py_ssize_t place = 0
    while place + 8 <= size:
        word = eight(at + place)
        # Less one, a byte that is nought has its high bit set.
        seen |= word | (word - <uint64_t> 0x0101010101010101)
        place += 8
    while place < size:
        seen |= at[place] | <uint8_t> (at[place] - 1)
        place += 1
    return not seen & <uint64_t> 0x8080808080808080


cdef inline void keep(PyObject **place, object found) noexcept:
    """Put it there; what stood there goes."""
    cdef PyObject *before = place[0]
    Py_INCREF(found)
    place[0] = <PyObject *> found
    Py_XDECREF(before)


cdef object made(Place at, Py_ssize_t size):
    """The text in these bytes, or ODD if it is not UTF-8, holds a NUL, or is to be cut and more than ASCII."""
    if size > LONGEST_TEXT:
        if not is_plain_ascii(at, size):
            return ODD
        if size > LONGEST_BYTES:
            return PyUnicode_DecodeASCII(<const char *> at, LONGEST_BYTES - CUT_BYTES, NULL) + CUT
    if size > 1 and is_plain_ascii(at, size):
        text = PyUnicode_New(size, 127)
        memcpy(PyUnicode_1BYTE_DATA(text), at, size)
        return text
    if size and memchr(at, 0, size):
        return ODD
    try:
        return PyUnicode_DecodeUTF8(<const char *> at, size, NULL)
    except UnicodeDecodeError:
        return ODD


cdef inline object known(Known *place, Place at, Py_ssize_t size):
    """The text in these bytes, from its place in a table or anew; or ODD."""
    cdef PyObject *before = place.text
    if (
        before != NULL
        and PyUnicode_GET_LENGTH(<object> before) == size
        and memcmp(PyUnicode_1BYTE_DATA(<object> before), at, size) == 0
    ):
        place.met = True
        return <object> before
    text = made(at, size)
    if text is ODD or not PyUnicode_IS_ASCII(text):
        return text
    if place.met:
        place.met = False
        return text
    keep(&place.text, text)
    return text


cdef inline object key_of(Place at, Py_ssize_t size):
    """An attribute's key, a span's name; or ODD."""
    if size == 0 or size > LONGEST_KNOWN:
        return made(at, size)
    return known(&keys[mixed(at, size) % KEYS], at, size)


cdef inline object text_of(Place at, Py_ssize_t size):
    """An attribute's value, a message; or ODD."""
    if size == 0 or size > LONGEST_KNOWN:
        return made(at, size)
    return known(&texts[mixed(at, size) % TEXTS], at, size)


cdef inline object id_of(Place at, Py_ssize_t size):
    """A trace id or span id: one object for the spans that share it."""
    cdef uint64_t place = mixed(at, size) % IDS
    cdef PyObject *before = ids[place]
    if (
        before != NULL
        and PyBytes_GET_SIZE(<object> before) == size
        and memcmp(PyBytes_AS_STRING(<object> before), at, size) == 0
    ):
        return <object> before
    found = PyBytes_FromStringAndSize(<const char *> at, size)
    keep(&ids[place], found)
    return found
