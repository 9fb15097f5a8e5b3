#!/bin/sh
# Builds the compiled modules with checks into a temporary folder and runs the tests of the engine, the block
# machine and, for `address` and `undefined`, the kernels with them.
#
#     tests/run_checked.sh thread [pytest arguments]     under ThreadSanitizer
#     tests/run_checked.sh address [pytest arguments]    under AddressSanitizer; `undefined` likewise
#     tests/run_checked.sh debug [pytest arguments]      asserting that no writer ever overlaps anyone
#
# The sanitizers need gcc with their libraries; a stock Python will do, because its locks are seen through
# pthread.
set -eu
kind=${1:-thread}
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tests"
cd "$root"
cp setup.py pyproject.toml README.md LICENSE "$work"
find mxcy -name '*.py' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.[ch]pp' | xargs cp --parents -t "$work"
cp tests/*.py "$work/tests"
engine="tests/test_engine.py tests/test_engine_errors.py tests/test_engine_random.py tests/test_engine_process.py"
engine="$engine tests/test_engine_shared.py"
machine="tests/test_pointwise.py tests/test_reduce.py"
kernels=""
[ "$kind" = thread ] || machine="$machine tests/test_matmul.py"  # its loops would take minutes
case $kind in address | undefined) kernels="tests/test_kernels.py tests/test_kernels_indexing.py" ;; esac
cd "$work"

build() {
    env "$1" "$python" setup.py build_ext --inplace > build.log 2>&1 || { cat build.log; exit 1; }
}

# Random programs whose operations run in one pass give what they give one by one.
compare_fusion() {
    "$@" tests/fusion_cases.py 0 100 > fused.json
    MXCY_FUSION=0 "$@" tests/fusion_cases.py 0 100 > unfused.json
    "$python" - <<'CHECK'
import json
fused, unfused = (json.load(open(name)) for name in ("fused.json", "unfused.json"))
assert fused["joined"] > 100 and fused["outcomes"] == unfused["outcomes"], "fusion changes results"
CHECK
}

# What the threads of BLAS hand to each other, a sanitizer does not see.
export PYTHONPATH="$work" HYPOTHESIS_PROFILE=ci OPENBLAS_NUM_THREADS=1
if [ "$kind" = debug ]; then
    build MXCY_DEBUG=1
    compare_fusion "$python"
    "$python" -m pytest -q -p no:cacheprovider "$@" $engine $machine
    exit
fi
build MXCY_SANITIZE="$kind"
case $kind in thread) library=tsan ;; address) library=asan ;; *) library=ubsan ;; esac
# Address randomisation beyond 28 bits leaves no room for the shadow memory of ThreadSanitizer.
# libtsan cannot start threads in a process that was forked from one with threads ("dup thread"): the tests
# of that are left out, and the scripts that do it on the way are not reports.
checked() {
    TSAN_OPTIONS="exitcode=66 halt_on_error=0 report_signal_unsafe=0 die_after_fork=0 log_path=$work/report" \
    ASAN_OPTIONS="detect_leaks=0 log_path=$work/report" UBSAN_OPTIONS="print_stacktrace=1 log_path=$work/report" \
    LD_PRELOAD=$(gcc -print-file-name=lib$library.so) setarch -R "$python" "$@"
}
failed=0
compare_fusion checked || failed=$?
checked -m pytest -q -p no:cacheprovider -k "not fork" "$@" $engine $machine $kernels || failed=$?
if grep -l -e "WARNING: ThreadSanitizer" -e "ERROR: AddressSanitizer" -e "runtime error:" "$work"/report* > /dev/null 2>&1; then
    grep -v "dup thread" "$work"/report*
    echo "The sanitizer has reported."
    exit 1
fi
exit "$failed"
