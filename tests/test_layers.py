"""The structure of the package: imports point down, files and functions stay small, names are unique."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mxcy"

# What each layer holds. A module may import from its own layer and from those with smaller numbers.
LAYERS = [
    {"errors", "base", "dtypes", "context", "name", "attribute", "registry", "_files", "_paths", "_locks"}
    | {"error", "library", "ndarray_doc", "rtc", "switches"},
    {"_engine", "_engine_native", "_engine_serial", "_engine_threaded", "_failures", "engine"}
    | {"_cast", "native"}
    | {"_array", "_invoke", "_index", "_export", "_dlpack", "_gpu"},
    {"kernels", "_testing", "_device", "_launch", "_loops", "_compile", "_contract", "_pointwise"}
    | {"_fast_loops", "_reduce", "_matmul", "_epilogue", "_segment", "_replay"},
    {"ops"},
    {"ndarray", "symbol", "symbol_doc", "graph"},
    {"executor", "autograd", "numpy", "numpy_extension", "random", "operator"} | {"numpy_op_signature"},
    {
        "kvstore",
        "io",
        "recordio",
        "image",
        "optimizer",
        "metric",
        "initializer",
        "lr_scheduler",
        "callback",
        "model",
        "monitor",
        "profiler",
        "interchange",
        "deploy",
        "visualization",
        "log",
        "runtime",
        "util",
    },
    {"__init__", "__main__", "command", "module", "gluon", "contrib", "onnx", "rnn", "tools", "test_utils"}
    | {"libinfo", "executor_manager"},
]

# (importer, imported): inside one layer, and still forbidden.
APART = [
    ("symbol", "ndarray"),
    ("graph", "symbol"),
    ("graph", "ndarray"),
    ("kernels.cpu", "kernels.cuda"),
    ("kernels.cuda", "kernels.cpu"),
]

# (importer, imported): imports upwards, made inside a function when it is called. Each needs a reason.
HOOKS: set[tuple[str, str]] = {
    ("symbol.binding", "executor"),  # programs written for MXNet call symbol.bind(...)
    ("model", "module.feed_forward"),  # they say mx.model.FeedForward
    ("context", "_engine"),  # Context.empty_cache asks the pool
    ("context", "_gpu"),
    ("ndarray.ndarray", "numpy"),  # as_np_ndarray of MXNet's arrays
}

FILE_LINES = 600
FUNCTION_LINES = 80
VAGUE = {"utils", "util", "misc", "common", "helpers", "base"}
VAGUE_BUT_MXNETS = {"mxcy/base.py", "mxcy/util.py", "mxcy/kvstore/base.py", "mxcy/gluon/utils.py"}
VAGUE_BUT_MXNETS |= {"mxcy/contrib/text/utils.py", "mxcy/io/utils.py", "mxcy/ndarray/utils.py"}

# Written in two parts so that this file passes its own test.
PRIVATE = ("shared" + "/design", "/work" + "/", "/root" + "/")

CIMPORT = re.compile(r"^\s*(?:from\s+(?P<origin>[.\w]+)\s+)?c?import\s+(?P<names>[^#\n]+)", re.MULTILINE)


def sources(*suffixes):
    return sorted(path for path in PACKAGE.rglob("*") if path.suffix in suffixes)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    """Dotted name below mxcy: `ops.math` for mxcy/ops/math.py, `__init__` for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


MODULES = {module_of(path) for path in sources(".py", ".pyi", ".pyx", ".pxd")}


def resolve(path, origin, level, names):
    """Modules below mxcy that `from <level dots><origin> import <names>` reads."""
    if level:
        package = ["mxcy", *path.relative_to(PACKAGE).parent.parts]
        base = package[: len(package) - level + 1] + (origin.split(".") if origin else [])
    else:
        base = origin.split(".")
    if base[0] != "mxcy":
        return
    for name in names:
        full = ".".join([*base[1:], name])
        yield full if full in MODULES else ".".join(base[1:]) or "__init__"


def imports(path):
    """Modules below mxcy that a file imports, at its top or inside a function."""
    text = path.read_text()
    if path.suffix in (".py", ".pyi"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from resolve(path, alias.name, 0, [""])
            elif isinstance(node, ast.ImportFrom):
                yield from resolve(path, node.module or "", node.level, [a.name for a in node.names])
        return
    joined = re.sub(r"\(([^()]*)\)", lambda found: found[1].replace("\n", " "), text)
    for found in CIMPORT.finditer(joined):
        names = [words.split()[0] for words in found["names"].split(",") if words.split()]
        origin = found["origin"]
        if origin is None:
            for name in names:
                yield from resolve(path, name, 0, [""])
        else:
            dots = len(origin) - len(origin.lstrip("."))
            yield from resolve(path, origin[dots:], dots, names)


def layer(module):
    top = module.split(".")[0]
    for number, names in enumerate(LAYERS):
        if top in names:
            return number
    pytest.fail(f"mxcy/{top}: no layer in LAYERS of tests/test_layers.py holds it")


def below(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


def clashes(importer, imported):
    if any(below(importer, a) and below(imported, b) for a, b in HOOKS):
        return False
    if any(below(importer, a) and below(imported, b) for a, b in APART):
        return True
    return layer(imported) > layer(importer)


@pytest.mark.parametrize("path", sources(".py", ".pyi", ".pyx", ".pxd"), ids=relative)
def test_imports_point_down(path):
    importer = module_of(path)
    number = layer(importer)
    upwards = sorted({name for name in imports(path) if clashes(importer, name.rstrip("."))})

    assert not upwards, f"{relative(path)} (layer {number}) imports {', '.join(upwards)}"


def test_reader_of_imports_sees_every_form(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    monkeypatch.setitem(globals(), "MODULES", {"errors", "ops.math", "_engine", "ops"})
    (tmp_path / "ops").mkdir()
    python, cython = tmp_path / "ops" / "a.py", tmp_path / "ops" / "b.pyx"
    python.write_text(
        "import numpy, mxcy.errors\n"
        "from .. import _engine\n"
        "def f():\n"
        "    from .math import x\n"
        "    import mxcy\n"
    )
    cython.write_text(
        "cimport numpy\n"
        "from mxcy._engine cimport (\n    Var,\n    Op)\n"
        "from ..errors import x\n"
        "from mxcy cimport ops\n"
        "cimport mxcy._engine as e\n"
    )

    assert [name.rstrip(".") for name in imports(python)] == ["errors", "_engine", "ops.math", "__init__"]
    assert {name.rstrip(".") for name in imports(cython)} == {"_engine", "errors", "ops"}


@pytest.mark.parametrize("path", sources(".py", ".pyi", ".pyx", ".pxd", ".hpp", ".cpp", ".h"), ids=relative)
def test_file_is_short(path):
    assert len(path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", sources(".py"), ids=relative)
def test_functions_are_short(path):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, functions) and node.end_lineno - node.lineno >= FUNCTION_LINES
    ]

    assert not long


def test_no_file_has_a_vague_name():
    vague = [relative(p) for p in PACKAGE.rglob("*") if p.stem in VAGUE and p.suffix != ".so"]

    assert sorted(set(vague) - VAGUE_BUT_MXNETS) == []


def test_no_operator_is_declared_twice():
    declared = {}
    for path in sorted((PACKAGE / "ops").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and is_declaration(node):
                declared.setdefault(node.name, []).append(relative(path))
    twice = {name: places for name, places in declared.items() if len(places) > 1}

    assert not twice


def is_declaration(node):
    """Whether a decorator is one of the four forms of declaration."""
    calls = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
    return any(getattr(call, "id", None) in {"elementwise", "reduction", "layer", "op"} for call in calls)


def published():
    """Text files of the project, without what is built or downloaded."""
    skipped = {".git", ".venv", ".peers", "build", "dist", "__pycache__", "out"}
    folders = [path for path in ROOT.iterdir() if path.name not in skipped]
    for top in folders:
        if top.name.startswith(".") and top.name not in {".ci", ".gitignore", ".github"}:
            continue
        for path in [top] if top.is_file() else top.rglob("*"):
            if path.is_file() and not skipped & set(path.parts) and not path.name.endswith((".so", ".pyc")):
                yield path


def test_no_file_names_a_private_place():
    named = []
    for path in published():
        content = path.read_bytes()
        if b"\0" not in content[:4096]:
            text = content.decode(errors="replace")
            named += [f"{relative(path)}: {private}" for private in PRIVATE if private in text]

    assert not named
