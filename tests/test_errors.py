"""Each error is both MXNet's and NumPy's, and says what was expected."""

import copy
import pickle
import traceback

import numpy as np
import pytest

from mxcy import errors

PAIRS = [
    (errors.ShapeError, ValueError),
    (errors.DTypeError, TypeError),
    (errors.ArgumentError, ValueError),
    (errors.ArgumentTypeError, TypeError),
    (errors.AssertedArgumentError, AssertionError),
    (errors.OperandTypeError, AssertionError),
    (errors.StateError, AssertionError),
    (errors.UnknownAttributeError, TypeError),
    (errors.ArrayIndexError, IndexError),
    (errors.AxisError, np.exceptions.AxisError),
    (errors.BindError, ValueError),
    (errors.EngineError, RuntimeError),
    (errors.OutOfMemory, MemoryError),
    (errors.NonFiniteError, FloatingPointError),
    (errors.FormatError, ValueError),
    (errors.NotImplementedForSymbol, NotImplementedError),
]


class WithSlots(ValueError):
    __slots__ = ("place",)

    def __init__(self, text, place):
        super().__init__(text)
        self.place = place


class WithOtherArguments(LookupError):
    def __init__(self, *, key):
        super().__init__(f"no {key}", key)
        self.key = key

    def __str__(self):
        return f"missing {self.key}"


class WithProperty(ValueError):
    @property
    def name(self):
        return "computed"


def decoding_error():
    try:
        b"\xff".decode("ascii")
    except UnicodeDecodeError as error:
        return error


FOREIGN = [
    ValueError("bad"),
    TypeError("bad", 2),
    KeyError("name"),
    IndexError(),
    MemoryError("much"),
    ZeroDivisionError("zero"),
    FloatingPointError("overflow"),
    RecursionError("deep"),
    NotImplementedError("later"),
    StopIteration(3),
    AttributeError("none", name="size", obj=4),
    ImportError("gone", name="package", path="place"),
    OSError(2, "No such file", "here.params"),
    FileNotFoundError(2, "No such file", "here.params"),
    decoding_error(),
    SyntaxError("bad", ("file", 1, 2, "text")),
    np.exceptions.AxisError(3, 2),
    np.linalg.LinAlgError("Singular matrix"),
    RuntimeWarning("divide by zero"),
    ExceptionGroup("two", [ValueError(1), TypeError(2)]),
    WithSlots("bad", "here"),
    WithOtherArguments(key="k"),
    WithProperty("bad"),
]


@pytest.mark.parametrize("ours, numpys", PAIRS, ids=lambda cls: cls.__name__)
def test_every_class_is_caught_as_mxnet_and_as_numpy(ours, numpys):
    for caught in (errors.MXNetError, numpys, RuntimeError):
        with pytest.raises(caught, match="expected this"):
            raise ours("f(x): expected this, got that")


def test_table_of_pairs_is_complete():
    classes = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, errors.MXNetError) and value is not errors.MXNetError
    }

    assert classes == {ours for ours, _ in PAIRS}


@pytest.mark.parametrize("ours", [ours for ours, _ in PAIRS], ids=lambda cls: cls.__name__)
def test_errors_survive_pickle_and_copy(ours):
    error = ours("text")
    error.add_note("a note")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is ours
        assert str(twin) == str(error)
        assert twin.__notes__ == ["a note"]


def test_axis_error_keeps_axis_and_ndim():
    error = pickle.loads(pickle.dumps(errors.AxisError("sum(axis): expected -2 to 1, got 5", 5, 2)))

    assert (str(error), error.axis, error.ndim) == ("sum(axis): expected -2 to 1, got 5", 5, 2)
    assert isinstance(error, ValueError) and isinstance(error, IndexError)


def test_message_has_one_form():
    assert errors.message("f", "x", "a", "b") == "f(x): expected a, got b"
    assert errors.message("f", None, "a", "b", "do c") == "f: expected a, got b; do c"
    assert errors.problem("divide", "b", "shapes (2, 3) and (4,) do not broadcast") == (
        "divide(b): shapes (2, 3) and (4,) do not broadcast"
    )


def test_unknown_attribute_names_the_closest():
    error = errors.unknown_attribute("FullyConnected", "num_hiden", ["num_hidden", "no_bias"])

    assert str(error) == (
        "FullyConnected(num_hiden): expected one of num_hidden, no_bias, got 'num_hiden'; "
        "did you mean num_hidden?"
    )
    assert "did you mean" not in str(errors.unknown_attribute("f", "zzz", ["axis"]))
    assert "no attributes" in str(errors.unknown_attribute("f", "axis", []))


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda error: type(error).__name__)
def test_wrap_is_both_and_looks_the_same(foreign):
    foreign.add_note("a note")
    wrapped = errors.wrap(foreign)

    assert isinstance(wrapped, errors.MXNetError)
    assert isinstance(wrapped, type(foreign))
    assert wrapped.args == foreign.args
    assert wrapped.__notes__ == ["a note"]
    assert str(wrapped) == str(foreign)
    assert traceback.format_exception_only(wrapped) == traceback.format_exception_only(foreign)
    fields = ("errno", "filename", "start", "name", "obj", "axis", "ndim", "lineno", "place", "key", "value")
    for field in fields:
        assert getattr(wrapped, field, None) == getattr(foreign, field, None)


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda error: type(error).__name__)
def test_wrapped_errors_survive_pickle(foreign):
    wrapped = errors.wrap(foreign)
    twin = pickle.loads(pickle.dumps(wrapped))

    assert type(twin) is type(wrapped)
    assert repr(twin.args) == repr(wrapped.args)
    assert str(twin) == str(wrapped)


def test_wrap_keeps_traceback_cause_and_context():
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        wrapped = errors.wrap(error)

        assert wrapped.__traceback__ is error.__traceback__
        assert wrapped.__cause__ is error.__cause__
        assert wrapped.__context__ is error.__context__
        assert wrapped.__suppress_context__


def test_wrap_leaves_what_needs_no_wrapping():
    for error in (errors.ShapeError("s"), KeyboardInterrupt(), SystemExit(1)):
        assert errors.wrap(error) is error
    assert type(errors.wrap(RuntimeError("r"))) is errors.MXNetError
    assert type(errors.wrap(ValueError(1))) is type(errors.wrap(ValueError(2)))


class Told(Exception):
    def __init__(self, what, *, where):
        super().__init__(f"{what} at {where}")
        self.where = where


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a"),
        OSError(2, "no", "file"),
        UnicodeDecodeError("utf-8", b"a", 0, 1, "no"),
        ImportError("m", name="m"),
        KeyboardInterrupt(),
        Told("x", where=3),
        errors.wrap(Told("x", where=3)),
        errors.ShapeError("x"),
    ],
    ids=repr,
)
def test_copy_of_an_error_is_equal_and_apart(error):
    error.add_note("first")
    copy = errors.copy_of(error)
    copy.add_note("second")

    assert type(copy) is type(error) and str(copy) == str(error) and copy.args == error.args
    assert {**vars(copy), "__notes__": None} == {**vars(error), "__notes__": None}
    assert error.__notes__ == ["first"]


def test_copy_of_what_cannot_be_made_again_is_itself():
    class Odd(Exception):
        @property
        def place(self):
            return 1

        @place.setter
        def place(self, value):
            raise ValueError("not again")

    error = Odd()
    error.__dict__["place"] = 1

    assert errors.copy_of(error) is error
