"""`Block`: a part of a network, with its parameters and the blocks inside it."""

from __future__ import annotations

import json
import re
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from .. import ndarray as nd
from .._array import Array
from ..errors import ArgumentError, ArgumentTypeError, AssertedArgumentError, message, problem
from ..switches import is_np_array
from . import nesting
from ._shapes import shortened
from .parameter import Parameter, ParameterDict
from .scope import BlockScope
from .structure import saved_form, take_names

__all__ = ["Block", "HookHandle"]


def indented(text: str, spaces: int) -> str:
    """A text whose lines but the first are indented."""
    return text.replace("\n", "\n" + " " * spaces)


class HookHandle:
    """What `register_forward_hook` returns: `detach()` takes the hook away."""

    def __init__(self):
        self._hooks: Any = None
        self._id = 0

    def attach(self, hooks: Hooks, hook: Callable) -> None:
        """Enter a hook."""
        if self._hooks is not None:
            raise AssertedArgumentError(problem("attach", None, "the handle is attached already"))
        self._id = id(hook)
        hooks[self._id] = hook
        self._hooks = weakref.ref(hooks)

    def detach(self) -> None:
        """Take the hook away, if it is there."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self._id, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.detach()


class Hooks(dict):
    """Hooks by their ids; a dict that can be referred to weakly."""


def _refuse_mixtures(name: str, outputs: Any) -> None:
    """Raise ArgumentTypeError for outputs that are arrays of `mx.nd` and of `mx.np` at once."""
    kinds = {getattr(x, "_rules", "nd") for x in outputs if isinstance(x, Array)}
    if len(kinds) > 1:
        raise ArgumentTypeError(message(name, "outputs", "arrays of mx.np alone", "some of mx.nd"))


class Block:
    """A part of a network. Blocks and parameters that are set as attributes belong to it.

        class Net(gluon.Block):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                with self.name_scope():
                    self.dense = nn.Dense(3)

            def forward(self, x):
                return self.dense(x)

    Parameters
    ----------
    prefix : beginning of all names; by default the name of the class with a number.
    params : parameters to share, those of another block.
    """

    def __init__(self, prefix: str | None = None, params: ParameterDict | None = None):
        self._empty_prefix = prefix == ""
        self._prefix, self._params = BlockScope.create(prefix, params, self._alias())
        self._name = self._prefix.removesuffix("_")
        self._scope = BlockScope(self)
        self._children: dict[str, Block] = {}
        self._reg_params: dict[str, Parameter] = {}
        self._forward_hooks = Hooks()
        self._forward_pre_hooks = Hooks()

    def __repr__(self) -> str:
        inner = [f"  ({key}): {indented(repr(value), 2)}" for key, value in vars(self).items()
                 if isinstance(value, Block)]  # fmt: skip
        return f"{type(self).__name__}(\n" + "\n".join(inner) + "\n)"

    def __setattr__(self, name: str, value: Any) -> None:
        existing = vars(self).get(name)
        if isinstance(existing, (Parameter, Block)) and not isinstance(value, type(existing)):
            text = (
                f"changing its type from {type(existing).__name__} to {type(value).__name__} is not allowed"
            )
            raise ArgumentTypeError(problem(type(self).__name__, name, text))
        if isinstance(value, Block):
            self.register_child(value, name)
        elif isinstance(value, Parameter):
            if name in self._reg_params:
                hint = "to share parameters, give params to the block"
                text = problem(type(self).__name__, name, "overriding a parameter is not allowed", hint)
                raise AssertedArgumentError(text)
            self._reg_params[name] = value
        super().__setattr__(name, value)

    def _alias(self) -> str:
        return type(self).__name__.lower()

    # -- names and parameters ---------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """Beginning of the names of the block's parameters and blocks."""
        return self._prefix

    @property
    def name(self) -> str:
        """The prefix without the underscore at its end."""
        return self._name

    def name_scope(self) -> BlockScope:
        """Return a scope for a `with` statement, in which blocks are called after this one."""
        return self._scope

    @property
    def params(self) -> ParameterDict:
        """The block's own parameters, without those of blocks inside it."""
        return self._params

    def collect_params(self, select: str | None = None) -> ParameterDict:
        """Return the parameters of this block and of all inside it.

        `select` is a regular expression that names must match from their start: ".*weight|.*bias".
        """
        self._check_containers()
        found = ParameterDict(self._params.prefix)
        pattern = re.compile(select or "")
        found.update({name: value for name, value in self.params.items() if pattern.match(name)})
        for child in self._children.values():
            found.update(child.collect_params(select=select))
        return found

    def _check_containers(self) -> None:
        """Warn about blocks in lists, tuples and dicts: they are not found."""
        children = {id(child) for child in self._children.values()}

        def holds_others(value: Any) -> bool:
            if isinstance(value, Block):
                return id(value) not in children
            inner = value.values() if isinstance(value, dict) else value
            return isinstance(value, (list, tuple, dict)) and any(map(holds_others, inner))

        for key, value in vars(self).items():
            if key != "_children" and isinstance(value, (list, tuple, dict)) and holds_others(value):
                warnings.warn(
                    f'"{type(self).__name__}.{key}" is an unregistered container with Blocks. Note that '
                    "Blocks inside the list, tuple or dict will not be registered automatically. Make sure "
                    "to register them using register_child() or switching to nn.Sequential/"
                    "nn.HybridSequential instead.", stacklevel=4,
                )  # fmt: skip

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Parameter]:
        """Parameters by the path of attributes that leads to them: `features.0.weight`."""
        prefix = f"{prefix}." if prefix else ""
        found = {prefix + name: value for name, value in self._reg_params.items()}
        for name, child in self._children.items():
            found |= child._collect_params_with_prefix(prefix + name)
        return found

    def initialize(self, init: Any = None, ctx: Any = None, verbose: bool = False,
                   force_reinit: bool = False) -> None:  # fmt: skip
        """Initialize all parameters; see `Parameter.initialize`. `init` is Uniform() by default."""
        self.collect_params().initialize(init, ctx, verbose, force_reinit)

    def cast(self, dtype: Any) -> None:
        """Convert all parameters to another dtype."""
        for child in self._children.values():
            child.cast(dtype)
        for parameter in self.params.values():
            parameter.cast(dtype)

    # -- blocks inside ----------------------------------------------------------------------------------

    def register_child(self, block: Block, name: str | None = None) -> None:
        """Make a block belong to this one."""
        self._children[str(len(self._children)) if name is None else name] = block

    def apply(self, fn: Callable[[Block], Any]) -> Block:
        """Call a function with every block inside, then with this one; return this one."""
        for child in self._children.values():
            child.apply(fn)
        fn(self)
        return self

    def hybridize(self, active: bool = True, **kwargs: Any) -> None:
        """Let hybrid blocks inside run as graphs from now on, or not."""
        for child in self._children.values():
            child.hybridize(active, **kwargs)

    def register_forward_pre_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(block, inputs)` before each forward."""
        handle = HookHandle()
        handle.attach(self._forward_pre_hooks, hook)
        return handle

    def register_forward_hook(self, hook: Callable) -> HookHandle:
        """Call `hook(block, inputs, outputs)` after each forward."""
        handle = HookHandle()
        handle.attach(self._forward_hooks, hook)
        return handle

    def register_op_hook(self, callback: Callable, monitor_all: bool = False) -> None:
        """Call `callback(node, operator, array)` with the results of hybridized blocks inside."""
        for child in self._children.values():
            child.register_op_hook(callback, monitor_all)

    # -- running ----------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> Any:
        for hook in list(self._forward_pre_hooks.values()):
            hook(self, args)
        out = self.forward(*args)
        for hook in list(self._forward_hooks.values()):
            hook(self, args, out)
        if isinstance(out, (tuple, list)) and is_np_array():
            _refuse_mixtures(type(self).__name__, out)
        return out

    def forward(self, *args: Any) -> Any:
        """Compute the outputs. Subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def summary(self, *inputs: Any) -> None:
        """Print the shapes and numbers of parameters of all blocks, for these inputs."""
        from .summary import summarize

        summarize(self, inputs)

    # -- files ------------------------------------------------------------------------------------------

    def save_parameters(self, filename: str, deduplicate: bool = False) -> None:
        """Write all parameters to a file that `load_parameters` and MXNet read.

        With `deduplicate` a parameter that is found on several paths is written once.
        """
        found = self._collect_params_with_prefix()
        if deduplicate:
            found = {name: p for p, name in {p: name for name, p in found.items()}.items()}
        nd.save(filename, {name: parameter._reduce() for name, parameter in found.items()})

    def load_parameters(self, filename: str, ctx: Any = None, allow_missing: bool = False,
                        ignore_extra: bool = False, cast_dtype: bool = False,
                        dtype_source: str = "current") -> None:  # fmt: skip
        """Read all parameters from a file of `save_parameters`, of `export`, or of MXNet.

        Parameters
        ----------
        ctx : device or devices, for parameters that are not initialized.
        allow_missing : whether parameters may be missing in the file.
        ignore_extra : whether there may be others in it.
        cast_dtype, dtype_source : whether values of another dtype are converted, to the "current" dtype of
            the parameter or to the "saved" one.
        """
        loaded = nd.load(filename)
        params = self._collect_params_with_prefix()
        if not loaded and not params:
            return
        if not isinstance(loaded, dict):
            text = "the file holds arrays without names"
            raise ArgumentError(problem("load_parameters", filename, text))
        if not any("." in name for name in loaded):  # full names, as `export` and `ParameterDict.save` write
            self.collect_params().load_dict(loaded, ctx, allow_missing, ignore_extra, self._restored(loaded),
                                            filename, cast_dtype, dtype_source)  # fmt: skip
            return
        names: dict[Parameter, list[str]] = {}
        for name, parameter in params.items():
            names.setdefault(parameter, []).append(name)
        missing = [found[0] for found in names.values() if not any(name in loaded for name in found)]
        if missing and not allow_missing:
            text = f"{shortened(missing)} missing in file {filename!r}, which contains {shortened(loaded)}"
            hint = "set allow_missing=True to ignore that"
            raise AssertedArgumentError(problem("load_parameters", None, text, hint))
        extra = [name for name in loaded if name not in params]
        if extra and not ignore_extra:
            text = f"{shortened(extra)} of file {filename!r} not present in the block, which has "
            hint = "set ignore_extra=True to ignore them"
            raise ArgumentError(problem("load_parameters", None, text + shortened(params), hint))
        for name, value in loaded.items():
            if name in params:
                params[name]._load_init(value, ctx, cast_dtype=cast_dtype, dtype_source=dtype_source)

    def _restored(self, loaded: dict) -> str:
        """The prefix that names in a file lack: ours, or none where they have it."""
        known = set(self.collect_params().keys())
        plain = {name.removeprefix("arg:").removeprefix("aux:") for name in loaded}
        return "" if known & plain else self.prefix

    def save_params(self, filename: str) -> None:
        """Write parameters as old versions of MXNet did; use `save_parameters`."""
        warnings.warn("save_params is deprecated. Please use save_parameters.", stacklevel=2)
        self.collect_params().save(filename, strip_prefix=self.prefix)

    def load_params(self, filename: str, ctx: Any = None, allow_missing: bool = False,
                    ignore_extra: bool = False) -> None:  # fmt: skip
        """Read parameters; use `load_parameters`."""
        warnings.warn("load_params is deprecated. Please use load_parameters.", stacklevel=2)
        self.load_parameters(filename, ctx, allow_missing, ignore_extra)

    def save(self, prefix: str) -> None:
        """Write the structure to `prefix-model.json` and the parameters to `prefix-model.params`."""
        with open(f"{prefix}-model.json", "w") as stream:
            json.dump(saved_form(self), stream)
        self.save_parameters(f"{prefix}-model.params")

    def load(self, prefix: str) -> None:
        """Read the parameters of `save` into a block of the same structure, made in the same order.

        Blocks inside get the names under which they were saved, as in MXNet.
        """
        path = f"{prefix}-model.json"
        with open(path) as stream:
            take_names(self, json.load(stream), path)
        self.load_parameters(f"{prefix}-model.params")


def __getattr__(name: str) -> Any:
    """MXNet's programs find all kinds of blocks here, and what names them."""
    if name == "_BlockScope":
        return BlockScope
    if name in ("_flatten", "_regroup"):
        return getattr(nesting, name[1:])
    if name in ("HybridBlock", "SymbolBlock"):
        from . import hybrid, symbol_block

        return getattr(hybrid if name == "HybridBlock" else symbol_block, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
