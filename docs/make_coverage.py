"""Writes coverage.md: which public names of MXNet 1.9.1 mxcy has, namespace by namespace.

    python docs/make_coverage.py

The names were listed by the real MXNet (tests/golden/names.json); where operators differ is in
tests/oracle/differences.py and in the tables of coming-from-mxnet.md.
"""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import mxcy
from mxcy import ops

HERE = Path(__file__).resolve().parent
NAMES = HERE.parent / "tests" / "golden" / "names.json"
DIFFERENCES = HERE.parent / "tests" / "oracle" / "differences.py"
ARGUMENTS = {"mean", "pad", "std"}  # what those tables name beside operators
# Namespaces of operators, of which every name is listed: what their operators' names begin with.
OPERATORS = {
    "nd": "", "sym": "", "nd.contrib": "_contrib_", "nd.image": "_image_", "nd.linalg": "_linalg_",
    "nd.random": "_random_", "nd.sparse": "_sparse_",
}  # fmt: skip

# Why a name is missing; the first pattern that fits. What none fits is still to come.
REASONS = (
    (r"dgl_", "not planned: samples of graphs in csr matrices"),
    (r"gs_retain|native_array", "imported there from elsewhere; mxcy has it where it belongs"),
    (r"quantized_rnn|quantize_asym", "not planned: the real one ends the process there on CPUs"),
    (r"^DataIter$", "imported there from elsewhere; mxcy has it where it belongs"),
    (r"^imdecode$", "not planned: the real one refuses every picture there; `mx.image.imdecode` is meant"),
    (r"^reset_arrays$", "not planned: the real one ends the process when it binds it"),
    (r"^uniform$", "imported there from elsewhere; mxcy has it where it belongs"),
    (r"download|get_bz2|get_zip|im2rec_path", "nothing is downloaded at run time"),
    (r"^(c_int_p|Lock|NDabs|current_process|set_kvstore_handle|KVStoreServer)$",
     "a detail of MXNet's own code"),
    (r"^(array|Number|NDArray|Symbol|Context|DataDesc|DataBatch|DataIter|Uniform|cpu|Features|HookHandle|CachedOp)$",
     "imported there from elsewhere; mxcy has it where it belongs"),
    (r"get_updater|MXDataIter|np_symbol|LogValidation|cuda_compute", "a detail of MXNet's own code"),
)  # fmt: skip


def space_of(path: str) -> Any:
    """The namespace of this name in mxcy, None if it is not there."""
    found: Any = mxcy
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def reason_for(space: str, name: str) -> str:
    """Why a name is missing."""
    return next((why for pattern, why in REASONS if re.search(pattern, name)), "to come")


def told() -> dict[tuple[str, str], str]:
    """What differs, by (namespace or nothing, name): the tables of coming-from-mxnet.md."""
    found: dict[tuple[str, str], str] = {}
    for line in (HERE / "coming-from-mxnet.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 3:
            for place, name in re.findall(r"`((?:\w+\.)*)(\w+)[`(]", cells[0]):
                if name not in ARGUMENTS:
                    where = f"nd.{name_of(place)}" if place else ""
                    found[where, name] = f"{cells[0]}: there {cells[1]}; here {cells[2]}"
    return found


def name_of(place: str) -> str:
    """image of nd.image."""
    return place.strip(".").rpartition(".")[2]


def differences(space: str, names: list[str], pages: dict[tuple[str, str], str]) -> dict[str, str]:
    """Which of these operators differ from the real ones, and how."""
    measured: dict[str, list[str]] = {}
    for start, dtype, why in runpy.run_path(str(DIFFERENCES))["DIFFERS"]:
        kind = f" ({dtype})" if dtype else ""
        measured.setdefault(start.partition("(")[0], []).append(f"{why}{kind}")
    found = {}
    for name in names:
        op = ops.lookup(OPERATORS[space] + name) or ops.lookup(name)
        whys = dict.fromkeys(measured.get(op.name, ()) if op else ())
        for where in ("", space):
            if (where, name) in pages:
                whys[pages[where, name]] = None
        if whys:
            found[name] = "; ".join(whys)
    return found


def states(space: str, names: list[str], missing: list[str], pages: dict[tuple[str, str], str]) -> list[str]:
    """Every name of a namespace of operators: done, differs (why), not there (why)."""
    there = [name for name in names if name not in missing]
    differs = differences(space, there, pages)
    done = ", ".join(f"`{name}`" for name in there if name not in differs)
    rows = [f"| `{name}` | differs: {why} |" for name, why in differs.items()]
    rows += [f"| `{name}` | {reason_for(space, name)} |" for name in missing]
    return [f"\n## mx.{space}: every name\n", "| Name | State |", "|---|---|", f"| {done} | done |", *rows]


def text() -> str:
    """The page."""
    pages = told()
    spaces = json.loads(NAMES.read_text())
    rows, parts = [], []
    for space, names in spaces.items():
        found = space_of(space)
        missing = [name for name in names if not hasattr(found, name)]
        rows.append(f"| `mx.{space}` | {len(names)} | {len(names) - len(missing)} |")
        by_reason: dict[str, list[str]] = {}
        for name in missing:
            by_reason.setdefault(reason_for(space, name), []).append(f"`{name}`")
        if space in OPERATORS:
            parts += states(space, names, missing, pages)
        elif missing:
            parts += [
                f"\n## mx.{space}\n",
                *(f"- {why}: {', '.join(some)}" for why, some in by_reason.items()),
            ]
    head = [
        "# Names of MXNet 1.9.1",
        "",
        "Made by `docs/make_coverage.py`. What is there has the name and arguments of the real one,",
        "and differs only where [coming from MXNet](coming-from-mxnet.md) says so; of the namespaces of",
        "operators every name is listed with its state.",
        "",
        "| Namespace | Public names | mxcy has |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, *parts]) + "\n"


if __name__ == "__main__":
    (HERE / "coverage.md").write_text(text())
