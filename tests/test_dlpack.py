"""DLPack in both directions: values, flags, hostile tensors, deleters."""

import ctypes

import numpy as np
import pytest
from array_faces import FACE, FLAT, Flat, Held, in_thread, make, ones

from mxcy import _array
from mxcy.dtypes import DTYPES, bfloat16
from mxcy.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_dlpack_both_ways_through_numpy(dtype, shape):
    values = np.ones(shape).astype(dtype)
    x = make(values)
    a = np.from_dlpack(x)
    assert a.dtype == dtype
    np.testing.assert_array_equal(a, values)
    back = _array.from_dlpack(values, FACE)
    assert (back.dtype, back.shape) == (dtype, shape)
    if values.size:
        a[...] = 0
        assert not np.asarray(x).any()
        values[...] = 0
        assert not np.asarray(back).any()


def test_dlpack_of_our_own_arrays_with_all_dtypes_and_strides():
    for dtype in DTYPES:
        x = make(np.arange(12).reshape(3, 4).astype(dtype))[::-1, ::2]
        for y in (_array.from_dlpack(x, FLAT), _array.from_dlpack(x.__dlpack__(), FLAT)):
            assert (type(y), y.dtype, y.shape, y.strides) == (Flat, dtype, x.shape, x.strides)
            np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_dlpack_arguments():
    x = ones()
    assert x.__dlpack_device__() == (1, 0)
    assert "dltensor_versioned" in repr(x.__dlpack__(max_version=(1, 2)))
    assert '"dltensor"' in repr(x.__dlpack__())
    assert '"dltensor"' in repr(x.__dlpack__(max_version=(0, 8)))
    x.__dlpack__(dl_device=(1, 0), stream=None, copy=False)
    with pytest.raises(ArgumentError, match="stream"):
        x.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="dl_device"):
        x.__dlpack__(dl_device=(2, 0))
    copied = np.from_dlpack(x, copy=True)
    copied[0] = 5
    assert float(x[0]) == 1


def test_dlpack_read_only():
    a = np.ones(3)
    a.flags.writeable = False
    x = _array.from_numpy(a, FACE, copy=False)
    with pytest.raises(BufferError, match="read-only"):
        x.__dlpack__()
    assert not np.from_dlpack(x).flags.writeable
    y = _array.from_dlpack(x, FACE)
    with pytest.raises(ArgumentError, match="read-only"):
        y += 1.0
    z = _array.from_dlpack(x, FACE, copy=True)
    z += 1.0
    assert a[0] == 1


def test_dlpack_copy_is_our_own_storage():
    x = _array.from_dlpack(np.zeros(4, np.float32), FACE, copy=True)
    held = Held(x, 3)  # queued, as imported storage would not be
    held.release.set()
    assert float(x[0]) == 3


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]  # fmt: skip


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor),
    ]  # fmt: skip


def capsule(structure, name):
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(structure), name, None)


def tensor(memory, shape=(2, 3), strides=None, **fields):
    made = Tensor(ctypes.addressof(memory), 1, 0, 0 if shape is None else len(shape), 2, 32, 1, None, None, 0)
    if shape:
        made.shape = (ctypes.c_int64 * len(shape))(*shape)
    if strides:
        made.strides = (ctypes.c_int64 * len(strides))(*strides)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("kind", [Managed, Versioned])
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"data": None}, ArgumentError),
        ({"ndim": 2, "shape": None}, ArgumentError),
        ({"ndim": -1}, ShapeError),
        ({"ndim": 33}, ShapeError),
        ({"shape": (2, -3)}, ShapeError),
        ({"shape": (2**40, 2**40)}, ShapeError),
        ({"shape": (2**62,)}, ShapeError),
        ({"shape": (2, 3), "strides": (2**62, 1)}, ShapeError),
        ({"shape": (2**40,), "strides": (2**30,)}, ShapeError),
        ({"lanes": 4}, DTypeError),
        ({"lanes": 0}, DTypeError),
        ({"bits": 24}, DTypeError),
        ({"code": 77}, DTypeError),
        ({"device_type": 2}, BufferError),
        ({"byte_offset": 2}, ArgumentError),
    ],
    ids=str,
)
def test_hostile_tensors_are_refused_and_left_to_their_owner(kind, fields, error):
    memory = (ctypes.c_float * 6)()
    fields = dict(fields)
    shape = fields.pop("shape", (2, 3))
    inner = tensor(memory, shape, **{k: v for k, v in fields.items() if k != "strides"})
    if "strides" in fields:
        inner.strides = (ctypes.c_int64 * len(fields["strides"]))(*fields["strides"])
    deleted = []
    deleter = Deleter(deleted.append)
    managed = kind(tensor=inner, deleter=ctypes.cast(deleter, ctypes.c_void_p))
    name = b"dltensor"
    if kind is Versioned:
        managed.major, name = 1, b"dltensor_versioned"
    held = capsule(managed, name)
    with pytest.raises(error):
        _array.from_dlpack(held, FACE)
    assert name.decode() in repr(held)
    assert "used" not in repr(held)
    assert deleted == []


@pytest.mark.parametrize("kind", [Managed, Versioned])
def test_foreign_tensors_are_read_and_given_back_once(kind):
    memory = (ctypes.c_float * 7)(*range(7))
    deleted = []
    deleter = Deleter(deleted.append)
    inner = tensor(memory, (2, 3), (1, 2), byte_offset=4)
    managed = kind(tensor=inner, deleter=ctypes.cast(deleter, ctypes.c_void_p))
    name = b"dltensor"
    if kind is Versioned:
        managed.major, managed.flags, name = 1, 1, b"dltensor_versioned"
    held = capsule(managed, name)
    x = _array.from_dlpack(held, FACE)
    np.testing.assert_array_equal(np.asarray(x), [[1, 3, 5], [2, 4, 6]])
    assert x._readonly == (kind is Versioned)
    with pytest.raises(ArgumentError, match="taken already"):
        _array.from_dlpack(held, FACE)
    view = x[0]
    del x
    assert deleted == []
    del view
    assert deleted == [ctypes.addressof(managed)]


def test_other_versions_are_refused():
    memory = (ctypes.c_float * 6)()
    managed = Versioned(major=2, tensor=tensor(memory))
    with pytest.raises(BufferError, match="version 1 of DLPack, got version 2"):
        _array.from_dlpack(capsule(managed, b"dltensor_versioned"), FACE)
    with pytest.raises(
        ArgumentTypeError, match=r"from_dlpack\(x\): expected an object with __dlpack__, got list"
    ):
        _array.from_dlpack([1], FACE)
    with pytest.raises(ArgumentError, match="no tensor"):
        _array.from_dlpack(capsule(managed, b"other"), FACE)


def test_deleters_may_be_called_from_any_thread():
    x = ones()
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    rename = ctypes.pythonapi.PyCapsule_SetName
    rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
    used = ctypes.create_string_buffer(b"used_dltensor")

    def take_and_delete():
        for _ in range(200):
            held = x.__dlpack__()
            managed = Managed.from_address(pointer(held, b"dltensor"))
            rename(held, ctypes.cast(used, ctypes.c_char_p))
            Deleter(managed.deleter)(ctypes.addressof(managed))  # ctypes calls it without the GIL
        return True

    assert all(result() for result in [in_thread(take_and_delete) for _ in range(4)])
    held = Held(x, 2)  # no export is left
    held.release.set()
    assert float(x[0]) == 2
