"""Writes coverage.md: which public names of MXNet 1.9.1 mxcy has, namespace by namespace.

    python docs/make_coverage.py

The names were listed by the real MXNet (tests/golden/names.json).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mxcy

HERE = Path(__file__).resolve().parent
NAMES = HERE.parent / "tests" / "golden" / "names.json"

# Why a name is missing; the first pattern that fits. What none fits is still to come.
REASONS = (
    (r"dgl_", "not planned: samples of graphs in csr matrices"),
    (r"gs_retain|native_array", "imported there from elsewhere; mxcy has it where it belongs"),
    (r"[Ss]parse|csr|LibSVM", "sparse storage: to come"),
    (r"quantized_rnn|quantize_asym", "not planned: the real one ends the process there on CPUs"),
    (r"^DataIter$", "imported there from elsewhere; mxcy has it where it belongs"),
    (r"Image|image|imdecode|Resize|Crop|Rotat|Hue|CIFAR|MNIST|mnist|cifar|Iter$", "image pipeline: to come"),
    (r"download|get_bz2|get_zip|im2rec_path", "nothing is downloaded at run time"),
    (r"^(c_int_p|Lock|NDabs|current_process|set_kvstore_handle|DataParallelExecutorManager|KVStoreServer)$",
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
    if space in ("image", "nd.image") and name != "Number":
        return "image pipeline: to come"
    return next((why for pattern, why in REASONS if re.search(pattern, name)), "to come")


def text() -> str:
    """The page."""
    spaces = json.loads(NAMES.read_text())
    rows, parts = [], []
    for space, names in spaces.items():
        found = space_of(space)
        missing = [name for name in names if not hasattr(found, name)]
        rows.append(f"| `mx.{space}` | {len(names)} | {len(names) - len(missing)} |")
        by_reason: dict[str, list[str]] = {}
        for name in missing:
            by_reason.setdefault(reason_for(space, name), []).append(f"`{name}`")
        if missing:
            parts += [
                f"\n## mx.{space}\n",
                *(f"- {why}: {', '.join(some)}" for why, some in by_reason.items()),
            ]
    head = [
        "# Names of MXNet 1.9.1",
        "",
        "Made by `docs/make_coverage.py`. What is there has the name and arguments of the real one,",
        "and differs only where [coming from MXNet](coming-from-mxnet.md) says so.",
        "",
        "| Namespace | Public names | mxcy has |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows, *parts]) + "\n"


if __name__ == "__main__":
    (HERE / "coverage.md").write_text(text())
