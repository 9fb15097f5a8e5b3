"""safetensors files: whole, hostile, and of checkpoints."""

import io
import json
import logging
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy import nd
from mxcy.dtypes import DTYPES
from mxcy.errors import ArgumentError, ArgumentTypeError, DTypeError, FormatError

pytest.importorskip("safetensors")


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"x": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


@pytest.mark.parametrize("dtype", DTYPES[:-1], ids=str)
def test_every_dtype_and_shape_comes_back(dtype, tmp_path):
    rng = np.random.RandomState(0)
    values = {
        "matrix": rng.uniform(-3, 3, (3, 4)).astype(dtype),
        "strided": rng.uniform(-3, 3, (4, 6)).astype(dtype)[::2, ::3],
        "none": np.zeros((0, 3), dtype),
        "arg:größe": np.ones((1, 1, 2), dtype),
    }
    path = tmp_path / "x.safetensors"
    nd.save(path, {key: nd.array(value, dtype=dtype) for key, value in values.items()})
    for found in (nd.load(path), nd.load(str(path)), nd.load_frombuffer(path.read_bytes())):
        assert set(found) == set(values)
        for key, value in values.items():
            assert found[key].dtype == dtype
            np.testing.assert_array_equal(found[key].asnumpy(), value)


def test_the_library_reads_what_is_written_and_writes_what_is_read(tmp_path):
    import safetensors.numpy

    values = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
    nd.save(tmp_path / "x.safetensors", {key: nd.array(v, dtype=v.dtype) for key, v in values.items()})
    found = safetensors.numpy.load_file(tmp_path / "x.safetensors")
    safetensors.numpy.save_file(values, tmp_path / "other.bin", metadata={"format": "np"})
    other = nd.load(tmp_path / "other.bin")
    for key, value in values.items():
        np.testing.assert_array_equal(found[key], value)
        np.testing.assert_array_equal(other[key].asnumpy(), value)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (file_of({}, b"more"), "a safetensors file"),
        (file_of(tensor(offsets=(0, 9)), b"\0" * 9), "a safetensors file"),
        (file_of(tensor(offsets=(0, 8)), b"\0" * 7), "a safetensors file"),
        (file_of(tensor(offsets=(8, 0)), b"\0" * 8), "a safetensors file"),
        (file_of(tensor(shape=(2**40, 2**40), offsets=(0, 0))), "a safetensors file"),
        (file_of(tensor(shape=(-1,), offsets=(0, 8)), b"\0" * 8), "a safetensors file"),
        (file_of(tensor(dtype="F9"), b"\0" * 8), "a safetensors file"),
        (file_of(tensor(dtype="F8_E5M2", offsets=(0, 2)), b"\0" * 2), "a dtype that mxcy has for array 'x'"),
        (struct.pack("<Q", 2**60) + b"{}", "a safetensors file"),
        (file_of(b"{" * 200_000), "a safetensors file"),
        (file_of(b'{"x": [}'), "a safetensors file"),
    ],
)
def test_hostile_files_are_refused(content, match, tmp_path):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FormatError, match=match):
        nd.load(tmp_path / "x")


@given(st.data())
def test_damage_never_crashes(data):
    content = bytearray(file_of(tensor(), np.ones(2, "f4").tobytes()))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        nd.load_frombuffer(bytes(content[:cut]))
    except FormatError:
        pass


def test_bools_are_zero_or_one():
    found = nd.load_frombuffer(file_of(tensor("BOOL", (3,), (0, 3)), b"\0\x01\x07"))["x"]
    np.testing.assert_array_equal(found.asnumpy().view(np.uint8), [0, 1, 1])


def test_what_the_format_does_not_have_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(ArgumentTypeError, match="a dict"):
        nd.save(path, [nd.ones(1)])
    with pytest.raises(DTypeError, match=r"save\(z\)"):
        nd.save(path, {"z": nd.ones(1, dtype="complex128")})
    assert not path.exists()


def test_checkpoints(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    net = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=2, name="fc")
    args = {"fc_weight": nd.ones((2, 3)), "fc_bias": nd.zeros(2)}
    prefix = str(tmp_path / "m")
    mx.model.save_checkpoint(prefix, 7, net, args, {"mean": nd.ones(2)}, format="safetensors")
    assert (tmp_path / "m-0007.safetensors").exists()
    symbol, found, states = mx.model.load_checkpoint(prefix, 7)
    assert symbol.tojson() == net.tojson()
    assert set(found) == set(args) and set(states) == {"mean"}
    np.testing.assert_array_equal(found["fc_weight"].asnumpy(), 1)
    with pytest.raises(ArgumentError, match="params or safetensors"):
        mx.model.save_checkpoint(prefix, 7, net, args, {}, format="pickle")


def test_a_stream_is_read():
    stream = io.BytesIO(file_of(tensor(), np.ones(2, "f4").tobytes()))
    np.testing.assert_array_equal(nd.load(stream)["x"].asnumpy(), 1)
