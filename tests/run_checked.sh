#!/bin/sh
# Builds the engine with checks into a temporary folder and runs the engine's tests with it.
#
#     tests/run_checked.sh thread [pytest arguments]   under ThreadSanitizer
#     tests/run_checked.sh debug [pytest arguments]    asserting that no writer ever overlaps anyone
#
# ThreadSanitizer needs gcc with libtsan; a stock Python will do, because its locks are seen through pthread.
set -eu
kind=${1:-thread}
[ $# -eq 0 ] || shift
root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/mxcy/native" "$work/tests"
cd "$root"
cp setup.py pyproject.toml README.md LICENSE "$work"
cp mxcy/*.py mxcy/_engine*.pyx mxcy/_engine*.pxd mxcy/_testing.pyx "$work/mxcy"
for name in engine failures fusion links pool workers; do cp "mxcy/native/$name.cpp" "$work/mxcy/native"; done
cp mxcy/native/*.hpp "$work/mxcy/native"
cp tests/conftest.py tests/engine_cases.py tests/test_engine*.py "$work/tests"
cd "$work"
tests="tests/test_engine.py tests/test_engine_random.py tests/test_engine_process.py"

build() {
    env "$1" "$python" setup.py build_ext --inplace > build.log 2>&1 || { cat build.log; exit 1; }
}

if [ "$kind" = debug ]; then
    build MXCY_DEBUG=1
    PYTHONPATH=$work "$python" -m pytest -q -p no:cacheprovider "$@" $tests
    exit
fi
build MXCY_SANITIZE=thread
# Address randomisation beyond 28 bits leaves no room for the shadow memory.
# libtsan cannot start threads in a process that was forked from one with threads ("dup thread"): the tests
# of that are left out, and the scripts that do it on the way are not reports.
failed=0
TSAN_OPTIONS="exitcode=66 halt_on_error=0 report_signal_unsafe=0 die_after_fork=0 log_path=$work/report" \
LD_PRELOAD=$(gcc -print-file-name=libtsan.so) PYTHONPATH=$work \
    setarch -R "$python" -m pytest -q -p no:cacheprovider -k "not fork" "$@" $tests || failed=$?
if grep -l "WARNING: ThreadSanitizer" "$work"/report* > /dev/null 2>&1; then
    grep -v "dup thread" "$work"/report*
    echo "ThreadSanitizer has reported."
    exit 1
fi
exit "$failed"
