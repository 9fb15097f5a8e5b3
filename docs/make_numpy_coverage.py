"""Write docs/numpy-coverage.md: where every public name of NumPy comes from in mxcy.numpy.

PYTHONPATH=. python docs/make_numpy_coverage.py
"""

import sys
import types
import warnings
from pathlib import Path

import numpy
from mxcy.numpy._functions import Own, Small, Through
from mxcy.numpy._ufunc import ufunc

import mxcy.numpy

PAGE = Path(__file__).parent / "numpy-coverage.md"
NAMESPACES = ["", "linalg", "fft", "random"]

# Names that are not offered, and why.
REFUSED = {
    "asmatrix": "matrices are a class of NumPy's that its own documentation advises against",
    "bmat": "as asmatrix",
    "matrix": "as asmatrix",
    "busday_count": "dates are not numbers",
    "busday_offset": "dates are not numbers",
    "busdaycalendar": "dates are not numbers",
    "is_busday": "dates are not numbers",
    "datetime_as_string": "dates are not numbers",
    "datetime_data": "dates are not numbers",
    "char": "texts are not numbers",
    "strings": "texts are not numbers",
    "core": "private",
    "lib": "private",
    "ctypeslib": "for the interface of C: numpy.ctypeslib takes arrays of ours",
    "f2py": "a compiler",
    "ma": "masked arrays are a class of NumPy's",
    "rec": "records are not numbers",
    "recarray": "records are not numbers",
    "record": "records are not numbers",
    "frompyfunc": "its results are arrays of objects; vectorize gives numbers",
    "nested_iters": "iterators of NumPy's inner loops",
    "memmap": "an array of NumPy's over a file; asarray takes it without a copy",
    "float128": "the engine has no such dtype",
    "complex256": "the engine has no such dtype",
    "bit_generator": "private",
    "mtrand": "private",
}


def kind(found, name):
    """Where a name comes from."""
    if isinstance(found, ufunc):
        return "own" if found.function.signature is None else "through NumPy"
    if isinstance(found, (Own, Small)):
        return "own"
    if isinstance(found, Through) or hasattr(found, "__wrapped__"):
        return "through NumPy"
    if getattr(numpy, name, None) is found or not hasattr(found, "__module__"):
        return "the same object"
    return "own" if str(found.__module__).startswith("mxcy") else "the same object"


def rows(namespace):
    """(name, where it comes from, reason) for each public name."""
    theirs = getattr(numpy, namespace) if namespace else numpy
    ours = getattr(mxcy.numpy, namespace) if namespace else mxcy.numpy
    for name in sorted(dir(theirs)):
        if name.startswith("_") or name == "test":  # which runs the tests of NumPy itself
            continue
        found = getattr(ours, name, None)
        present = hasattr(ours, name)
        if isinstance(getattr(theirs, name), types.ModuleType):
            present = present and isinstance(found, types.ModuleType)
        if present:
            yield name, kind(found, name), ""
        else:
            yield name, "refused", REFUSED[name]


def page():
    """The text of the page."""
    lines = [
        "# Names of NumPy in `mxcy.numpy`",
        "",
        "Made by `docs/make_numpy_coverage.py`. *Own*: compiled or on the engine. *Through NumPy*: at once,"
        " on the same memory. *The same object*: types, constants, settings.",
    ]
    for namespace in NAMESPACES:
        found = list(rows(namespace))
        title = f"numpy.{namespace}" if namespace else "numpy"
        by_kind = {
            k: [n for n, of, _ in found if of == k] for k in ("own", "through NumPy", "the same object")
        }
        refused = [(n, why) for n, of, why in found if of == "refused"]
        theirs = getattr(numpy, namespace) if namespace else numpy
        functions = [
            n
            for n, _, _ in found
            if callable(getattr(theirs, n)) and not isinstance(getattr(theirs, n), type)
        ]
        there = len(functions) - sum(n in functions for n, _ in refused)
        lines += [
            "",
            f"## {title}: {there} of {len(functions)} functions ({100 * there / len(functions):.1f} %)",
            "",
        ]
        lines += ["| From | Names |", "|---|---|"]
        for k, names in by_kind.items():
            lines.append(f"| {k} ({len(names)}) | {', '.join(f'`{n}`' for n in names)} |")
        if refused:
            lines += ["", "| Refused | Why |", "|---|---|"]
            lines += [f"| `{n}` | {why} |" for n, why in refused]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    PAGE.write_text(page())
    sys.stdout.write(
        "\n".join(line for line in PAGE.read_text().splitlines() if line.startswith("##")) + "\n"
    )
