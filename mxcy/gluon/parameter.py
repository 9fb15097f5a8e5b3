"""`Parameter`: an array that blocks learn, with a copy and a gradient on each of its devices."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import autograd, context, initializer, symbol
from .. import ndarray as nd
from .._array import Array
from ..context import Context
from ..errors import (
    ArgumentError,
    ArgumentTypeError,
    AssertedArgumentError,
    MXNetError,
    StateError,
    message,
    problem,
)
from ..ndarray import NDArray
from ..ndarray._creation import blank
from ..ndarray._tape import written_on_purpose
from ..switches import is_np_array, is_np_shape
from ._devices import device_list, device_places
from ._shapes import known, merged_shape, shortened
from .nesting import converted
from .utils import shape_is_known as shape_is_known

__all__ = ["Constant", "DeferredInitializationError", "Parameter", "ParameterDict", "tensor_types"]

tensor_types = (symbol.Symbol, NDArray)
STYPES = ("default", "row_sparse", "csr")


class DeferredInitializationError(MXNetError):
    """A parameter is read whose shape follows from the first batch, before there was one."""


class UninitializedError(StateError, RuntimeError):
    """A parameter is read that has no values, or none on this device."""


class Parameter:
    """An array that blocks learn.

    Parameters
    ----------
    name : name, with the prefixes of the blocks that it belongs to.
    grad_req : "write", "add" or "null": what becomes of the gradient.
    shape : shape; extents of 0 or -1 follow from the data, if `allow_deferred_init`.
    dtype : dtype.
    lr_mult, wd_mult : factors of learning rate and weight decay.
    init : initializer; by default that of `initialize`.
    differentiable : False makes grad_req "null".
    stype, grad_stype : storage types of the values and of the gradient: "default" (dense), "row_sparse" or
        "csr". Values in rows are kept by the store of a `Trainer`: read them by `row_sparse_data`.
    """

    def __init__(self, name: str, grad_req: str = "write", shape: Any = None, dtype: Any = np.float32,
                 lr_mult: float = 1.0, wd_mult: float = 1.0, init: Any = None,
                 allow_deferred_init: bool = False, differentiable: bool = True, stype: str = "default",
                 grad_stype: str = "default"):  # fmt: skip
        for argument, value in (("stype", stype), ("grad_stype", grad_stype)):
            if value not in STYPES:
                expected = "one of 'default', 'row_sparse', 'csr'"
                raise AssertedArgumentError(message(f"Parameter '{name}'", argument, expected, repr(value)))
        self._var: Any = None
        self._data: list[NDArray] | None = None
        self._grad: list[NDArray] | None = None
        self._ctx_list: list[Context] = []
        self._trainer: Any = None
        self._numpy = is_np_array()  # whether users are given arrays of mx.np
        self._deferred_init: tuple = ()  # (init, devices, default, values)
        self._differentiable = differentiable
        self._allow_deferred_init = allow_deferred_init
        self._grad_req: str | None = None
        self._shape = (shape,) if isinstance(shape, int) else None if shape is None else tuple(shape)
        self._dtype = dtype
        self._stype, self._grad_stype = stype, grad_stype
        self.name = name
        self.lr_mult = lr_mult
        self.wd_mult = wd_mult
        self.grad_req = grad_req
        self.init = init

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.name} (shape={self.shape}, dtype={self.dtype})"

    @property
    def grad_req(self) -> str:
        """What becomes of the gradient: "write", "add" or "null"."""
        return self._grad_req  # type: ignore[return-value]

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        if req not in ("write", "add", "null"):
            expected = "one of 'write', 'add', 'null'"
            raise AssertedArgumentError(message(f"Parameter '{self.name}'", "grad_req", expected, repr(req)))
        req = req if self._differentiable else "null"
        if self._grad_req == req:
            return
        self._grad_req = req
        if req == "null" and self._grad is not None:
            self._grad = None
            self._data = [x.detach() for x in self._data or ()]
        elif self._data is not None:
            self._init_grad()

    @property
    def dtype(self) -> Any:
        """The dtype; setting it casts."""
        return self._dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self.cast(dtype)

    @property
    def shape(self) -> tuple | None:
        """The shape; unknown extents may be set once. They are 0, and -1 with NumPy's shapes."""
        if self._shape is None or not is_np_shape():
            return self._shape
        return tuple(extent or -1 for extent in self._shape)

    @shape.setter
    def shape(self, new_shape: Iterable[int]) -> None:
        new = tuple(new_shape)
        old = self._shape
        if old is not None and not (
            len(old) == len(new) and all(a in (-1, 0, b) for a, b in zip(old, new, strict=True))
        ):
            raise AssertedArgumentError(message(f"Parameter '{self.name}'", "shape", old, new))
        self._shape = new

    # -- arrays -----------------------------------------------------------------------------------------

    def _check_and_get(self, arrays: list[NDArray] | None, ctx: Any) -> Any:
        """The array on a device (None: the current one), or with `list` all of them."""
        if arrays is None:
            raise self._missing()
        if ctx is list:
            return arrays
        if ctx is None:
            if len(arrays) == 1:
                return arrays[0]
            ctx = context.current_context()
        for device, array in zip(self._ctx_list, arrays, strict=True):
            if device == ctx:
                return array
        text = f"not initialized on context {ctx}, only on {self._ctx_list}"
        raise UninitializedError(problem(f"Parameter '{self.name}'", None, text))

    def _missing(self) -> MXNetError:
        who = f"Parameter '{self.name}'"
        if self._deferred_init:
            text = "has not been initialized yet because initialization was deferred"
            hint = "pass a batch through the network first, or give in_units, in_channels, ... to its layers"
            return DeferredInitializationError(problem(who, None, text, hint))
        hint = "call initialize(); Block.collect_params() includes the parameters of nested blocks"
        return UninitializedError(problem(who, None, "has not been initialized", hint))

    def data(self, ctx: Any = None) -> NDArray:
        """Return the array on a device; raises if it was not initialized there, or is sparse."""
        self._require_storage("data", self._stype == "default", "row_sparse_data")
        return converted(self._check_and_get(self._data, ctx), self._numpy)

    def list_data(self) -> list[NDArray]:
        """Return the arrays on all devices."""
        self._require_storage("list_data", self._stype == "default", "list_row_sparse_data")
        return converted(self._check_and_get(self._data, list), self._numpy)

    def _require_storage(self, call: str, fits: bool, instead: str) -> None:
        if not fits:
            text = f"its storage type is {self._stype}"
            raise UninitializedError(problem(f"Parameter '{self.name}'", call, text, f"use {instead}()"))

    def grad(self, ctx: Any = None) -> NDArray:
        """Return the gradient on a device."""
        return converted(self._check_and_get(self._gradients(), ctx), self._numpy)

    def list_grad(self) -> list[NDArray]:
        """Return the gradients on all devices."""
        return converted(self._check_and_get(self._gradients(), list), self._numpy)

    def _gradients(self) -> list[NDArray] | None:
        if self._data is not None and self._grad is None:
            text = "has no gradient because grad_req='null'"
            raise UninitializedError(problem(f"Parameter '{self.name}'", None, text))
        return self._grad

    def list_ctx(self) -> list[Context]:
        """Return the devices."""
        if self._data is None:
            if self._deferred_init:
                return self._deferred_init[1]
            raise self._missing()
        return self._ctx_list

    @property
    def _ctx_map(self) -> list[list[int | None]]:
        """Where in `_data` the array of a device is; libraries that write into it look here."""
        return device_places(self._ctx_list)

    def zero_grad(self) -> None:
        """Set the gradients to 0."""
        for gradient in self._grad or ():
            gradient[:] = 0

    def row_sparse_data(self, row_id: NDArray) -> NDArray:
        """Return the array on the device of `row_id`, with these rows as the trainer's store has them."""
        return self._pulled(row_id, getattr(row_id, "context", None))

    def list_row_sparse_data(self, row_id: NDArray) -> list[NDArray]:
        """Return the arrays on all devices, with rows as `row_sparse_data` gives them."""
        return self._pulled(row_id, list)

    def _pulled(self, row_id: NDArray, ctx: Any) -> Any:
        self._require_storage("row_sparse_data", self._stype == "row_sparse", "data")
        who = f"Parameter '{self.name}'"
        if not isinstance(row_id, NDArray):
            raise ArgumentTypeError(message(who, "row_id", "an NDArray", type(row_id).__name__))
        found = self._check_and_get(self._data, ctx)
        if self._trainer is None:
            raise UninitializedError(problem(who, "row_sparse_data", "no Trainer was created with it"))
        self._trainer._row_sparse_pull(self, found, row_id)
        return found

    # -- initialization ---------------------------------------------------------------------------------

    def initialize(self, init: Any = None, ctx: Any = None, default_init: Any = None,
                   force_reinit: bool = False) -> None:  # fmt: skip
        """Fill the parameter, or note how to when its shape is known.

        Parameters
        ----------
        init : initializer; by default that of the parameter, else `default_init` (Uniform).
        ctx : device or devices; the current one by default.
        force_reinit : whether to do it again if it is done.
        """
        if self._data is not None and not force_reinit:
            warnings.warn(
                f"Parameter '{self.name}' is already initialized, ignoring. Set force_reinit=True to "
                "re-initialize.", stacklevel=2,
            )  # fmt: skip
            return
        default_init = initializer.Uniform() if default_init is None else default_init
        self._data = self._grad = None
        if init is None:
            init = default_init if self.init is None else self.init
        if not known(self.shape) and not self._allow_deferred_init:
            text = f"cannot be initialized because it has invalid shape: {self.shape}"
            raise ArgumentError(problem(f"Parameter '{self.name}'", None, text))
        self._deferred_init = (init, device_list(ctx), default_init, None)
        if known(self.shape):
            self._finish_deferred_init()

    def _finish_deferred_init(self) -> None:
        """Fill the parameter as `initialize` was told to."""
        if not self._deferred_init:
            return
        init, devices, default_init, values = self._deferred_init
        if not known(self.shape):
            text = f"cannot be initialized because it has invalid shape: {self.shape}"
            hint = "give in_units, in_channels, ... to its layer"
            raise AssertedArgumentError(problem(f"Parameter '{self.name}'", None, text, hint))
        self._deferred_init = ()
        with autograd.pause():
            if values is None:
                values = blank(self.shape, ctx=context.cpu(), dtype=self.dtype, stype=self._stype)
                fill(init, default_init, self.name, converted(values, is_np_array()))
            self._init_impl(values, devices)

    def _init_impl(self, values: NDArray, devices: Iterable[Context]) -> None:
        self._numpy = is_np_array()
        self._ctx_list = list(devices)
        self._data = [values.copyto(ctx) for ctx in self._ctx_list]
        self._init_grad()

    def _init_grad(self) -> None:
        if self.grad_req == "null":
            self._grad = None
            return
        stype = self._grad_stype
        self._grad = [blank(x.shape, ctx=x.context, dtype=x.dtype, stype=stype) for x in self._data or ()]
        autograd.mark_variables(self._data, self._grad, self.grad_req)

    def _load_init(self, data: NDArray, ctx: Any, cast_dtype: bool = False,
                   dtype_source: str = "current") -> None:  # fmt: skip
        """Take values from a file."""
        who = f"Parameter '{self.name}'"
        if cast_dtype and dtype_source not in ("current", "saved"):
            expected = "'current' or 'saved'"
            raise AssertedArgumentError(message(who, "dtype_source", expected, repr(dtype_source)))
        if self.shape:
            if len(self.shape) != len(data.shape) or any(
                a not in (0, -1, b) for a, b in zip(self.shape, data.shape, strict=True)
            ):
                raise AssertedArgumentError(message(who, "saved", f"shape {self.shape}", data.shape))
            self._shape = data.shape
        elif self.shape is None:
            self._shape = data.shape
        if np.dtype(self.dtype) != np.dtype(data.dtype):
            if not cast_dtype:
                hint = "set cast_dtype=True to cast"
                expected = f"dtype {np.dtype(self.dtype)}"
                raise AssertedArgumentError(message(who, "saved", expected, np.dtype(data.dtype), hint))
            if dtype_source == "current":
                data = data.astype(self.dtype, copy=False)
            else:
                self.dtype = data.dtype
        if data.stype != self._stype:
            data = data.tostype(self._stype)
        devices = None if ctx is None else device_list(ctx)
        if self._data is not None or self._deferred_init:
            current = self.list_ctx()
            if devices is not None and set(devices) != set(current):
                raise AssertedArgumentError(message(who, "ctx", current, devices))
            devices = current
        if self._data is None:
            self._init_impl(data, devices or [context.cpu()])
        else:
            self.set_data(data)
        self._deferred_init = ()

    def set_data(self, data: Any) -> None:
        """Set the values on all devices; gradients of what is recorded read the new ones, as in MXNet."""
        self.shape = data.shape
        if self._data is None:
            if not self._deferred_init:
                raise AssertedArgumentError(str(self._missing()))
            self._deferred_init = (*self._deferred_init[:3], data)
            return
        if self._trainer is not None:
            self._trainer._values_changed(self)
        for array in self._data:
            with autograd.pause(), written_on_purpose(array):
                array[:] = data

    def reset_ctx(self, ctx: Any) -> None:
        """Move to other devices."""
        devices = device_list(ctx)
        if self._data is not None:
            values = self._reduce()
            with autograd.pause():
                self._init_impl(values, devices)
        elif self._deferred_init:
            init, _, default_init, values = self._deferred_init
            self._deferred_init = (init, devices, default_init, values)
        else:
            raise ArgumentError(str(self._missing()))

    def _reduce(self) -> NDArray:
        """The mean of the arrays of all devices, on the processor."""
        if self._stype != "default" and self._trainer is not None:
            return self._trainer._whole(self)
        near = [x.copyto(context.cpu()) for x in self._check_and_get(self._data, list)]
        return near[0] if len(near) == 1 else (nd.add_n(*near) / len(near)).astype(near[0].dtype)

    def cast(self, dtype: Any) -> None:
        """Convert values and gradients to another dtype."""
        self._dtype = dtype
        self._var = None
        if self._data is None:
            return
        with autograd.pause():
            self._data = [x.astype(dtype) for x in self._data]
            if self._grad is not None:
                self._grad = [g.astype(dtype) for g in self._grad]
                autograd.mark_variables(self._data, self._grad, self.grad_req)

    def var(self) -> symbol.Symbol:
        """Return the symbol that stands for the parameter."""
        if self._var is None:
            self._var = symbol.var(self.name, shape=self.shape, dtype=self.dtype, lr_mult=self.lr_mult,
                                   wd_mult=self.wd_mult, init=self.init, stype=self._stype)  # fmt: skip
        return self._var

    def _set_trainer(self, trainer: Any) -> None:
        if self._stype != "default" and trainer and self._trainer not in (None, trainer):
            text = f"is {self._stype} and has a Trainer already, whose store keeps it"
            raise UninitializedError(problem(f"Parameter '{self.name}'", None, text))
        self._trainer = trainer


def fill(init: Any, default: Any, name: str, values: NDArray) -> None:
    """Fill an array by its own initializer, whatever its name; `default` is that of all arrays."""
    if isinstance(init, (str, initializer.Initializer)):
        default = initializer.create(default) if isinstance(default, str) else default
        every = default if isinstance(default, initializer.Initializer) else initializer.Uniform()
        every(initializer.InitDesc(name, {"__init__": init}), values)  # type: ignore[dict-item]
    else:  # one that chooses by name, such as Mixed
        init(initializer.InitDesc(name), values)


class Constant(Parameter):
    """A parameter with fixed values and without a gradient."""

    def __init__(self, name: str, value: Any):
        self.value = value.as_nd_ndarray() if isinstance(value, Array) else nd.array(value)
        super().__init__(name, grad_req="null", shape=self.value.shape, dtype=self.value.dtype,
                         init=initializer.Constant(self.value))  # fmt: skip

    @property
    def grad_req(self) -> str:
        """Always "null"."""
        return "null"

    @grad_req.setter
    def grad_req(self, req: str) -> None:
        self._grad_req = "null"
        if req != "null":
            text = f'Constant parameter "{self.name}" does not support grad_req other than "null", '
            warnings.warn(text + f'and new value "{req}" is ignored.', stacklevel=2)


class ParameterDict:
    """Parameters by name.

    Parameters
    ----------
    prefix : what `get` puts before names.
    shared : parameters that `get` takes instead of making new ones.
    """

    def __init__(self, prefix: str = "", shared: ParameterDict | None = None):
        self._prefix = prefix
        self._params: dict[str, Parameter] = {}
        self._shared = shared

    def __repr__(self) -> str:
        name = f"{self._prefix} " if self._prefix else ""
        return f"{name}(\n" + "\n".join(f"  {value}" for value in self.values()) + "\n)"

    def __getitem__(self, key: str) -> Parameter:
        return self._params[key]

    def __iter__(self):
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __contains__(self, key: object) -> bool:
        return key in self._params

    def items(self):
        """Return names and parameters."""
        return self._params.items()

    def keys(self):
        """Return names."""
        return self._params.keys()

    def values(self):
        """Return parameters."""
        return self._params.values()

    @property
    def prefix(self) -> str:
        """What `get` puts before names."""
        return self._prefix

    def _find(self, name: str) -> Parameter | None:
        if name not in self._params and self._shared is not None and name in self._shared._params:
            self._params[name] = self._shared._params[name]
        return self._params.get(name)

    def get(self, name: str, **kwargs: Any) -> Parameter:
        """Return the parameter of a name (prefix and name), made with these arguments if it is new.

        Raises ArgumentError if it is there with other attributes.
        """
        name = self.prefix + name
        parameter = self._find(name)
        if parameter is None:
            parameter = self._params[name] = Parameter(name, **kwargs)
            return parameter
        for key, value in kwargs.items():
            existing = getattr(parameter, key, None)
            if existing is None:
                setattr(parameter, key, value)
                continue
            if key == "shape" and value is not None:
                merged = merged_shape(value, existing)
                if merged is not None:
                    parameter._shape = merged
                    continue
            same = np.dtype(value) == np.dtype(existing) if key == "dtype" else value == existing
            if value is not None and not same:
                text = f"cannot be retrieved: desired {key} {value!r}, stored {existing!r}"
                raise AssertedArgumentError(problem(f"Parameter '{name}'", None, text))
        return parameter

    def get_constant(self, name: str, value: Any = None) -> Parameter:
        """Return the constant of a name (prefix and name), made with this value if it is new."""
        name = self.prefix + name
        parameter = self._find(name)
        if parameter is None:
            if value is None:
                raise KeyError(f"No constant named '{name}'. Please specify value to create a new constant.")
            parameter = self._params[name] = Constant(name, value)
        elif value is not None:
            values = value.asnumpy() if isinstance(value, NDArray) else np.asarray(value)
            if not isinstance(parameter, Constant) or not np.array_equal(parameter.value.asnumpy(), values):
                text = "already exists and is not a constant of this value"
                raise AssertedArgumentError(problem(f"Parameter '{name}'", None, text))
        return parameter

    def update(self, other: Any) -> None:
        """Take over all parameters of another dict; names must not stand for different ones."""
        for name, parameter in other.items():
            if self._params.get(name, parameter) is not parameter:
                text = f"there are different parameters with the same name {name!r}"
                raise AssertedArgumentError(problem("ParameterDict.update", None, text))
        self._params.update(other.items())

    # -- all parameters ---------------------------------------------------------------------------------

    def initialize(self, init: Any = None, ctx: Any = None, verbose: bool = False,
                   force_reinit: bool = False) -> None:  # fmt: skip
        """Initialize all; see `Parameter.initialize`."""
        init = initializer.Uniform() if init is None else init
        init = initializer.create(init) if isinstance(init, str) else init
        if verbose:
            init.set_verbosity(verbose=verbose)
        for parameter in self.values():
            parameter.initialize(None, ctx, init, force_reinit=force_reinit)

    def zero_grad(self) -> None:
        """Set all gradients to 0."""
        for parameter in self.values():
            parameter.zero_grad()

    def reset_ctx(self, ctx: Any) -> None:
        """Move all to other devices."""
        for parameter in self.values():
            parameter.reset_ctx(ctx)

    def list_ctx(self) -> list[Context]:
        """Return the devices of all."""
        found: dict[Context, None] = {}
        for parameter in self.values():
            found.update(dict.fromkeys(parameter.list_ctx()))
        return list(found)

    def setattr(self, name: str, value: Any) -> None:
        """Set an attribute of all: `net.collect_params().setattr("grad_req", "null")`."""
        for parameter in self.values():
            setattr(parameter, name, value)

    # -- files ------------------------------------------------------------------------------------------

    def save(self, filename: str, strip_prefix: str = "") -> None:
        """Write all values to a file of `nd.save`, under names without a prefix."""
        values = {}
        for parameter in self.values():
            if not parameter.name.startswith(strip_prefix):
                text = f"the name of parameter {parameter.name!r} does not start with {strip_prefix!r}"
                hint = "it may be shared with another block"
                raise ArgumentError(problem("ParameterDict.save", "strip_prefix", text, hint))
            values[parameter.name.removeprefix(strip_prefix)] = parameter._reduce()
        nd.save(filename, values)

    def load(self, filename: str, ctx: Any = None, allow_missing: bool = False, ignore_extra: bool = False,
             restore_prefix: str = "", cast_dtype: bool = False,
             dtype_source: str = "current") -> None:  # fmt: skip
        """Read values from a file; names in it are those here without `restore_prefix`."""
        for name in self.keys() if restore_prefix else ():
            if not name.startswith(restore_prefix):
                expected = f"a prefix of parameter {name!r}"
                text = message("ParameterDict.load", "restore_prefix", expected, repr(restore_prefix))
                raise AssertedArgumentError(text)
        self.load_dict(nd.load(filename), ctx, allow_missing, ignore_extra, restore_prefix, filename,
                       cast_dtype, dtype_source)  # fmt: skip

    def load_dict(self, param_dict: Any, ctx: Any = None, allow_missing: bool = False,
                  ignore_extra: bool = False, restore_prefix: str = "", filename: str | None = None,
                  cast_dtype: bool = False, dtype_source: str = "current") -> None:  # fmt: skip
        """Take values from a dict of arrays. Raises an error that names all that is missing or surplus."""
        source = f"file {filename}" if filename else "param_dict"
        found = {restore_prefix + k.removeprefix("arg:").removeprefix("aux:"): v
                 for k, v in dict(param_dict).items()}  # fmt: skip
        missing = [name for name in self.keys() if name not in found]
        if missing and not allow_missing:
            text = f"{shortened(missing)} missing in {source}, which contains {shortened(found)}"
            hint = "the networks must have the same prefix; or set allow_missing"
            raise AssertedArgumentError(problem("load", None, text, hint))
        extra = [name for name in found if name not in self._params]
        if extra and not ignore_extra:
            text = f"{shortened(extra)} of {source} not present here; choices are {shortened(self._params)}"
            raise AssertedArgumentError(problem("load", None, text, "set ignore_extra to ignore them"))
        for name, value in found.items():
            if name in self._params:
                self[name]._load_init(value, ctx, cast_dtype=cast_dtype, dtype_source=dtype_source)

