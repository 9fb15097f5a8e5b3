"""How long `import mxcy` takes beside `import numpy`, each in fresh interpreters, in turn.

The first round, which is not counted, leaves the bytecode of both in a folder of its own: a checkout that
Python may not write bytecode into would be compiled at every import.

    python benchmarks/import_time.py [--rounds 15]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

STATEMENTS = {
    "import numpy": "import numpy",
    "import mxcy": "import mxcy",
    "import mxcy; mxcy.nd": "import mxcy; mxcy.nd",
    "import mxcy; mxcy.nd, .sym, .mod": "import mxcy; mxcy.nd, mxcy.sym, mxcy.mod",
}


def seconds(statement: str, environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    return time.perf_counter() - begin


def heavy_modules() -> list[str]:
    program = "import sys, mxcy; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return sorted({"numba", "scipy", "matplotlib", "ray", "onnx", "cv2"} & set(loaded.stdout.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in ("pass", *STATEMENTS)}
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(rounds + 1):
            for name in times:
                taken = seconds(STATEMENTS.get(name, name), environment)
                if number:
                    times[name].append(taken)
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = medians["import numpy"]
    print(f"{'statement':36} {'ms':>8} {'of numpy':>9}")
    for name, value in medians.items():
        print(f"{name:36} {value * 1e3:8.1f} {value / base:8.2f}x")
    print("heavy packages that `import mxcy` loads:", ", ".join(heavy_modules()) or "none")


if __name__ == "__main__":
    main()
