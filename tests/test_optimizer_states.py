"""States of optimizers and arrays that MXNet 1.9.1 pickled (golden/make_states.py), and hostile pickles."""

import contextlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import mxcy as mx
from mxcy import gluon, nd, optimizer
from mxcy import lr_scheduler as schedules
from mxcy.errors import FormatError

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "states.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    return dict(np.load(GOLDEN / "states.npz"))


class Halving(schedules.LRScheduler):
    """What `make_states.py` has under that name."""

    def __init__(self):
        super().__init__(base_lr=0.3)
        self.inner = [schedules.FactorScheduler(2)]

    def __call__(self, num_update):
        return self.base_lr * 0.5**num_update


def fresh(attrs, whole):
    """The keywords of an optimizer to load states into: none but its schedule if they hold it."""
    name = attrs.pop("scheduler", [None])[0]
    attrs = {} if whole else attrs
    return attrs | {"lr_scheduler": Halving()} if name == "Halving" else attrs


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i][0]}")
def test_training_goes_on_from_states_of_mxnet(number, arrays):
    name, attrs, _, whole = CASES[number]
    found = {key.partition(".")[2]: x for key, x in arrays.items() if key.startswith(f"{number}.")}
    attrs = dict(attrs)
    dtype, stype = attrs.pop("dtype", "float32"), attrs.pop("stype", "default")
    updater = optimizer.get_updater(
        optimizer.create(name, param_idx2name={0: "fc_weight", 1: "fc_bias"}, **fresh(attrs, whole))
    )
    updater.set_states(found["states"].tobytes())
    weights = [nd.array(found[f"w{i}"], dtype=dtype).tostype(stype) for i in range(2)]
    for step in range(4):
        for i, w in enumerate(weights):
            updater(i, nd.array(found[f"g{step}_{i}"], dtype=dtype).tostype(stype), w)

    tolerance = {"rtol": 1e-2, "atol": 1e-2} if dtype == "float16" else {"rtol": 1e-5, "atol": 1e-6}
    for i, w in enumerate(weights):
        np.testing.assert_allclose(w.asnumpy(), found[f"a{i}"], **tolerance)


def test_a_scheduler_of_the_user_has_to_be_there_before(arrays):
    number = next(i for i, case in enumerate(CASES) if case[1].get("scheduler", [0])[0] == "Halving")
    updater = optimizer.get_updater(optimizer.SGD())
    with pytest.raises(FormatError, match=r"no scheduler 'Halving'; make the optimizer with one"):
        updater.set_states(arrays[f"{number}.states"].tobytes())


def test_an_optimizer_that_is_not_registered_is_named(arrays):
    content = arrays["1.states"].tobytes().replace(b"\x8c\x03SGD", b"\x8c\x03Own")
    with pytest.raises(FormatError, match="no optimizer 'own' is registered"):
        optimizer.get_updater(optimizer.SGD()).set_states(content)


def test_fields_that_an_older_mxnet_did_not_have_keep_their_defaults(arrays):
    content = arrays["1.states"].tobytes()
    for name in (b"aggregate_num", b"lazy_update", b"_all_index_update_counts"):
        assert name in content
        content = content.replace(name, name[:-1] + b"X")
    updater = optimizer.get_updater(optimizer.SGD())
    updater.set_states(content)

    assert updater.optimizer.aggregate_num == optimizer.SGD().aggregate_num
    assert (updater.optimizer.lazy_update, updater.optimizer.num_update) == (True, 4)


@pytest.mark.parametrize("kind", ["named2", "named5"])
def test_pickles_of_arrays_are_loaded(kind, arrays, tmp_path):
    (tmp_path / "x.pkl").write_bytes(arrays[f"array.{kind}"].tobytes())
    found = nd.load(str(tmp_path / "x.pkl"))

    assert list(found) == ["x", "rows", "columns"]
    assert [x.stype for x in found.values()] == ["default", "row_sparse", "csr"]
    assert found["x"].dtype == np.int32
    np.testing.assert_array_equal(found["x"].asnumpy(), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(found["rows"].asnumpy(), [[0, 0], [1, 2], [0, 0]])
    np.testing.assert_array_equal(found["columns"].asnumpy(), [[0, 5]])


def test_pickles_of_lists_single_arrays_and_arrays_of_mx_np(arrays):
    assert [x.shape for x in nd.load_frombuffer(arrays["array.listed4"].tobytes())] == [(2, 2), (2, 2)]
    assert [x.shape for x in nd.load_frombuffer(arrays["array.single4"].tobytes())] == [(2, 2)]
    np.testing.assert_array_equal(nd.load_frombuffer(arrays["array.numpy4"].tobytes())["x"].asnumpy(), [1, 2])


CALL = b"(S'touch ran'\ntR."
HOSTILE = [
    b"\x80\x02cos\nsystem\n" + CALL,
    b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\ttouch ran\x85R.",
    b"\x80\x02cbuiltins\neval\n" + CALL,
    b"\x80\x02ccopyreg\n_reconstructor\n(cbuiltins\nlist\ncbuiltins\nobject\nNtR.",
    b"\x80\x02c_codecs\nencode\n(X\x01\x00\x00\x00aX\x06\x00\x00\x00rot_13tR.",
    b"\x80\x02c_codecs\nencode\nN}X\x08\x00\x00\x00__name__K\x01s\x86b.",  # would set attributes of a class
    b"\x80\x02cmxnet.ndarray.ndarray\nNDArray\n}X\x06\x00\x00\x00handleNsb.",
    b"\x80\x02cnumpy\ndtype\n(X\x01\x00\x00\x00OtR.",
    b"\x80\x02cmxnet.ndarray.ndarray\nos.system\n" + CALL,
    b"\x80\x02cmxnet.ndarray.ndarray\nNDArray\n(NtR}X\x06\x00\x00\x00handlecbuiltins\nbytearray\n(C\x03abctRsb.",
    b"\x80\x04P1\n.",
    b"\x80\x05" + b"(" * 50_000 + b".",
    b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_pickles_are_refused(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    updater = optimizer.get_updater(optimizer.SGD())
    for load in (updater.set_states, nd.load_frombuffer):
        with pytest.raises(FormatError):
            load(content)
    assert updater.states == {}
    assert list(tmp_path.iterdir()) == []


def test_damaged_pickles_are_errors(arrays):
    whole = arrays["1.states"].tobytes()
    updater, random = optimizer.get_updater(optimizer.SGD()), np.random.default_rng(3)
    for _ in range(300):
        content = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for _ in range(random.integers(0, 3)):
            content[random.integers(len(content))] = random.integers(256)
        with contextlib.suppress(FormatError):  # changed numbers may be read, but nothing else is raised
            updater.set_states(bytes(content))


def test_other_pickles_are_no_arrays(arrays):
    for content in (arrays["array.other4"].tobytes(), pickle.dumps([1]), pickle.dumps({"a": {}})):
        with pytest.raises(FormatError, match="a pickle, but not of an array"):
            nd.load_frombuffer(content)


@pytest.mark.parametrize(
    "keywords",
    [
        lambda: {"learning_rate": np.float32(0.25)},
        lambda: {"lr_scheduler": Halving()},
        lambda: {"lr_scheduler": lambda n: 0.1},
        lambda: {"lr_scheduler": type("Steps", (schedules.FactorScheduler,), {})(2, base_lr=0.2)},
    ],
)
def test_trainers_save_what_users_give_optimizers(keywords, tmp_path):
    def trained():
        x = gluon.Parameter("x", shape=(2,))
        x.initialize()
        trainer = gluon.Trainer([x], "sgd", keywords() | {"momentum": 0.9})
        with mx.autograd.record():
            loss = x.data().sum()
        loss.backward()
        trainer.step(1)
        return trainer

    trainer, path = trained(), str(tmp_path / "x.states")
    trainer.save_states(path)
    other = trained()
    other.load_states(path)

    assert type(other._optimizer) is optimizer.SGD
    assert other.learning_rate == pytest.approx(trainer.learning_rate)
    kinds = [type(one._optimizer.lr_scheduler).__name__ for one in (trainer, other)]
    assert kinds[0] == kinds[1]
