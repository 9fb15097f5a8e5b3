"""Files of arrays: MXNet's bytes, hostile bytes, and saves that are interrupted."""

import io
import os
import signal
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mxcy as mx
from mxcy.dtypes import DTYPES
from mxcy.errors import DTypeError, FormatError
from mxcy.ndarray import params

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.params"))
HEAD = struct.pack("<QQ", 0x112, 0)
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA


def parse(content):
    return params.read(io.BytesIO(content), len(content), "x.params")


def rendered(arrays, names=()):
    stream = io.BytesIO()
    params.write(stream, arrays, names)
    return stream.getvalue()


def one_array(version=V2, storage=0, shape=(2,), device=(1, 0), flag=0, data=None, names=()):
    """A file with one array, every field as told."""
    head = {V1: struct.pack("<I", V1), V2: struct.pack("<Ii", V2, storage)}
    extent = "q" if version in head else "I"
    body = head.get(version, b"") + struct.pack(f"<i{len(shape)}{extent}", len(shape), *shape)
    body += struct.pack("<3i", *device, flag)
    body += np.ones(shape, "<f4").tobytes() if data is None else data
    named = struct.pack("<Q", len(names)) + b"".join(struct.pack("<Q", len(n)) + n for n in names)
    return HEAD + struct.pack("<Q", 1) + body + named


# --- what MXNet writes ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_golden_files_are_read_and_written_byte_for_byte(path, tmp_path):
    content = path.read_bytes()
    loaded = mx.nd.load(str(path))
    copy = tmp_path / "copy.params"

    mx.nd.save(copy, loaded)

    assert copy.read_bytes() == content
    assert os.listdir(tmp_path) == ["copy.params"]


def test_golden_values():
    import json

    expected = np.load(GOLDEN / "params.npz")
    described = json.loads((GOLDEN / "params.json").read_text())
    loaded = mx.nd.load(GOLDEN / "params_dict.params")

    assert list(loaded) == list(described["dict_keys"].values())
    for key, name in described["dict_keys"].items():
        found = loaded[name]
        assert found.dtype is expected[key].dtype.type
        np.testing.assert_array_equal(found.asnumpy(), expected[key])
    listed = mx.nd.load(GOLDEN / "params_list.params")
    assert len(listed) == described["list_len"]
    for i, found in enumerate(listed):
        np.testing.assert_array_equal(found.asnumpy(), expected[f"l{i}"])


def test_one_array_loads_as_a_list_and_nothing_as_an_empty_one(tmp_path):
    mx.nd.save(tmp_path / "one", mx.nd.ones((2, 3)))
    mx.nd.save(tmp_path / "none", {})

    (found,) = mx.nd.load(tmp_path / "one")

    assert isinstance(found, mx.nd.NDArray)
    assert found.shape == (2, 3)
    assert mx.nd.load(tmp_path / "none") == []


def test_loaded_arrays_are_new_and_writable():
    (found,) = mx.nd.load(GOLDEN / "params_single.params")

    found += 1

    assert found.writable
    np.testing.assert_array_equal(found.asnumpy(), [2, 3, 4])


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.kind != "c"], ids=str)
@pytest.mark.parametrize("shape", [(3,), (2, 0, 3), (), (1,) * 7])
def test_every_real_dtype_and_shape_comes_back(dtype, shape):
    array = np.arange(int(np.prod(shape)) or 1).astype(dtype)[: int(np.prod(shape))].reshape(shape)

    (found,), names = parse(rendered([array]))

    assert names == []
    assert found.dtype == dtype
    assert found.shape == shape
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("version", [V1, None], ids=["V1", "before"])
def test_older_versions_are_read(version):
    (found,), _ = parse(one_array(version=version, shape=(3, 1)))

    np.testing.assert_array_equal(found, np.ones((3, 1), "f"))


def test_a_0d_array_is_saved_and_loaded(tmp_path):
    mx.nd.save(tmp_path / "x", {"scalar": mx.nd.array(3), "vector": mx.nd.array([1, 2])})

    found = mx.nd.load(tmp_path / "x")

    assert (tmp_path / "x").read_bytes()[24:28] == struct.pack("<I", V3)
    assert found["scalar"].shape == ()
    assert found["scalar"].asscalar() == 3
    np.testing.assert_array_equal(found["vector"].asnumpy(), [1, 2])


def test_strided_views_and_contexts_are_saved(tmp_path):
    x = mx.nd.arange(12).reshape((3, 4))
    mx.nd.save(tmp_path / "x", [x[:, 1], x[::-1, ::2], mx.nd.ones((2,), ctx=mx.cpu(3))])

    column, corner, elsewhere = mx.nd.load(tmp_path / "x")

    np.testing.assert_array_equal(column.asnumpy(), [1, 5, 9])
    np.testing.assert_array_equal(corner.asnumpy(), [[8, 10], [4, 6], [0, 2]])
    assert elsewhere.context == mx.cpu(3)


def test_an_array_of_a_gpu_loads_on_the_processor():
    (found,) = mx.nd.load_frombuffer(one_array(device=(2, 1)))

    assert found.context == mx.cpu(0)


def test_a_byte_that_is_no_bool_becomes_one():
    (found,), _ = parse(one_array(flag=7, data=b"\x00\xf7"))

    assert found.view(np.uint8).tolist() == [0, 1]


def test_files_and_buffers(tmp_path):
    x = mx.nd.array([1, 2, 3])
    stream = io.BytesIO()

    mx.nd.save(stream, {"x": x})
    mx.nd.save(os.fsencode(tmp_path / "bytes"), {"x": x})
    content = stream.getvalue()
    with open(tmp_path / "bytes", "rb") as file:
        found = [mx.nd.load_frombuffer(content), mx.nd.load_frombuffer(bytearray(content)), mx.nd.load(file)]
    found.append(mx.nd.load(io.BytesIO(content)))

    assert (tmp_path / "bytes").read_bytes() == content
    for loaded in found:
        np.testing.assert_array_equal(loaded["x"].asnumpy(), [1, 2, 3])


@pytest.mark.parametrize(
    ("error", "data"),
    [(ValueError, x) for x in (3, None, np.ones(2), "x")]
    + [(TypeError, x) for x in ([1.0], {"x": 1}, {1: "x"}, [[]])],
)
def test_save_refuses_other_things(error, data, tmp_path):
    with pytest.raises(error, match="^save\\(data\\): expected an NDArray, a list"):
        mx.nd.save(tmp_path / "x", data)

    assert os.listdir(tmp_path) == []


def test_save_refuses_complex_numbers_and_leaves_the_file(tmp_path):
    mx.nd.save(tmp_path / "x", mx.nd.ones((2,)))
    before = (tmp_path / "x").read_bytes()

    text = r"save\(data\['z'\]\): expected a dtype that MXNet has, got complex64"
    with pytest.raises(DTypeError, match=text):
        mx.nd.save(tmp_path / "x", {"y": mx.nd.ones((1,)), "z": mx.nd.ones((2,), dtype="complex64")})

    assert (tmp_path / "x").read_bytes() == before


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        mx.nd.load(tmp_path / "nope")
    with pytest.raises(FileNotFoundError) as nowhere:
        mx.nd.save(tmp_path / "no" / "x", [])

    assert isinstance(missing.value, mx.MXNetError)
    assert isinstance(nowhere.value, mx.MXNetError)


@pytest.mark.parametrize("fname", [3, None, ["x"]])
def test_a_path_is_needed(fname):
    with pytest.raises(TypeError, match="expected a path or a file"):
        mx.nd.load(fname)
    with pytest.raises(TypeError, match="expected a path or a file"):
        mx.nd.save(fname, [])


# --- hostile bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_truncation_is_refused(path):
    content = path.read_bytes()
    step = max(1, len(content) // 400)

    for length in [*range(0, len(content), step), len(content) - 1]:
        with pytest.raises(FormatError, match=r"^load\(x\.params\): expected "):
            parse(content[:length])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_more_bytes_than_the_file_has_are_refused(path):
    with pytest.raises(FormatError, match=r"the end at byte \d+, got 1 more bytes"):
        parse(path.read_bytes() + b"\0")


REFUSED = {
    "empty": (b"", r"16 bytes for the head of the file at byte 0, got 0 left"),
    "other file": (b"PK\x03\x04" + bytes(40), r"mark of an MXNet \.params file, got 504b0304"),
    "reserved": (struct.pack("<QQQ", 0x112, 1, 0) + bytes(8), "mark of an MXNet"),
    "2**63 arrays": (HEAD + struct.pack("<Q", 2**63), "at most 0 arrays at byte 16, got 922337"),
    "more arrays than bytes": (HEAD + struct.pack("<Q", 3) + bytes(40), "at most 2 arrays"),
    "huge extent": (one_array(shape=(2**40,), data=b""), r"4398046511104 bytes for the elements of array 0"),
    "product overflows": (one_array(shape=(2**32, 2**32), data=b""), "extents of an array"),
    "empty but impossible": (one_array(shape=(0, 2**62, 2**62), data=b""), "extents of an array"),
    "negative extent": (one_array(shape=(-1, -4), data=b""), r"extents of an array for array 0 at byte 24"),
    "no value": (one_array(shape=(), data=b""), "1 to 32 dimensions for array 0 at byte 24, got 0"),
    "33 dimensions": (one_array(shape=(1,) * 33), "1 to 32 dimensions"),
    "2**31 - 1 dimensions": (HEAD + struct.pack("<QIii", 1, V2, 0, 2**31 - 1) + bytes(64), "1 to 32 dim"),
    "sparse": (one_array(storage=2), "indptr of array 0 at byte 24 of int64, got float32"),
    "storage": (one_array(storage=7), "to be dense, row_sparse or csr, got storage type 7"),
    "type flag": (one_array(flag=99), "a type flag of MXNet for array 0 at byte 52, got 99"),
    "negative flag": (one_array(flag=-1), "a type flag of MXNet"),
    "two names for one array": (one_array(names=[b"a", b"b"]), "1 names or none, got 2"),
    "name past the end": (one_array() [:-8] + struct.pack("<QQ", 1, 2**62), "bytes for name 0"),
    "name is no text": (one_array(names=[b"\xff\xfe"]), "name 0 in UTF-8 at byte"),
}  # fmt: skip


@pytest.mark.parametrize("content, text", REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_with_its_place(content, text):
    with pytest.raises(FormatError, match=text):
        parse(content)
    with pytest.raises(ValueError, match=text):
        mx.nd.load_frombuffer(content)


def test_what_a_file_claims_is_not_allocated():
    claims = [content for content, _ in REFUSED.values()]
    tracemalloc.start()
    try:
        for content in claims:
            with pytest.raises(FormatError):
                parse(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1e6


def test_a_file_cut_while_it_is_read(tmp_path):
    content = one_array(shape=(100,))

    with pytest.raises(FormatError, match="the file was cut while reading"):
        params.read(io.BytesIO(content[:200]), len(content), "x.params")


@given(st.data())
def test_changed_bytes_are_read_or_refused(data):
    content = bytearray(data.draw(st.sampled_from(FILES)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(content), 600) - 1))
        content[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))

    try:
        arrays, names = parse(bytes(content))
    except FormatError:
        return
    assert sum(array.nbytes for array in arrays) <= len(content)
    assert len(names) in (0, len(arrays))


@given(st.binary(max_size=200))
def test_any_bytes_after_the_mark_are_read_or_refused(tail):
    try:
        parse(HEAD + tail)
    except FormatError:
        pass


# --- interrupted saves --------------------------------------------------------------------------------

SAVE = """
import os, resource, signal, sys
import mxcy as mx
at, path = sys.argv[1:]
if at == "writing":       # the kernel ends the process in the middle of a write
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
if at in ("fsync", "replace"):
    setattr(os, at, lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
mx.nd.save(path, {"big": mx.nd.ones((1_000_000,))})
"""


@pytest.mark.parametrize("at", ["writing", "fsync", "replace"])
def test_a_killed_save_leaves_the_old_file(at, tmp_path):
    path = tmp_path / "model.params"
    mx.nd.save(path, {"old": mx.nd.ones((3,))})
    before = path.read_bytes()

    ended = subprocess.run([sys.executable, "-c", SAVE, at, str(path)], capture_output=True, timeout=120)

    expected = signal.SIGXFSZ if at == "writing" else signal.SIGKILL
    assert ended.returncode == -expected, ended.stderr.decode()
    assert path.read_bytes() == before
    assert list(mx.nd.load(path)) == ["old"]


FULL_DISK = """
import os, resource, signal, sys
import mxcy as mx
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))   # Python ignores SIGXFSZ: writes fail
try:
    mx.nd.save(sys.argv[1], {"big": mx.nd.ones((1_000_000,))})
except mx.MXNetError as error:
    assert isinstance(error, OSError), type(error)
    print("refused")
"""


def test_a_save_on_a_full_disk_fails_and_cleans_up(tmp_path):
    path = tmp_path / "model.params"
    mx.nd.save(path, {"old": mx.nd.ones((3,))})
    before = path.read_bytes()

    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.stdout == "refused\n", done.stderr
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.params"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "model.params", tmp_path / "link"
    mx.nd.save(path, [])
    path.chmod(0o640)
    link.symlink_to(path.name)

    mx.nd.save(link, [mx.nd.ones((1,))])

    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(mx.nd.load(path)) == 1


def test_a_pipe_is_written_and_read():
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as reader:
        with os.fdopen(write_end, "wb"):
            mx.nd.save(f"/dev/fd/{write_end}", [mx.nd.ones((2,))])
        (found,) = mx.nd.load(f"/dev/fd/{reader.fileno()}")

    np.testing.assert_array_equal(found.asnumpy(), [1, 1])
