"""Runs a program of `mxcy launch` on a machine of the cluster, and ends it when nobody wants it any more.

    python guard.py STATUS FOLDER PROGRAM…
    python guard.py FOLDER

Whoever starts this holds the other end of its standard input: when that ends, be it closed or be its holder
killed, the program and all processes of its session are ended, and the folder is removed. The exit code goes
to the descriptor STATUS, as `subprocess` has it: negative for signals. Ray kills the children of an actor
that it kills, so this forks away from its parent at once. It imports nothing of mxcy: it starts quickly.

With a folder alone it ends what others have started: all processes whose `MXCY_KVSTORE_JOB` lies there.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 5.0


def main(status: int, folder: str, program: list[str]) -> None:
    """Run the program; write its code."""
    if os.fork():
        os._exit(0)
    os.setsid()
    try:
        code = run(program)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os.write(status, b"%d" % code)


def run(program: list[str]) -> int:
    """Return the code of the program, of which nothing is left then."""
    try:
        child = subprocess.Popen(program, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        os.write(2, f"{program[0]}: {error.strerror}\n".encode())
        return 127
    ended = os.pidfd_open(child.pid)
    poller = select.poll()
    poller.register(0, select.POLLIN | select.POLLHUP)
    poller.register(ended, select.POLLIN)
    poller.poll()
    for stop in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, stop)
        except (ProcessLookupError, PermissionError):
            break
        until = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < until and (child.poll() is None or is_left(child.pid)):
            time.sleep(0.02)
        if not is_left(child.pid):
            break
    return child.wait()


def is_left(group: int) -> bool:
    """Whether a process group has members."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def watch(folder: str) -> None:
    """Wait for the end of standard input; then end the processes of a job, and remove its folder."""
    while os.read(0, 1):
        pass
    mark = b"MXCY_KVSTORE_JOB=" + os.fsencode(folder) + b"/"
    for stop in (signal.SIGTERM, signal.SIGKILL):
        told: set[int] = set()
        until = time.monotonic() + GRACE_SECONDS
        while (found := carrying(mark)) and time.monotonic() < until:
            for number in found - told:
                try:
                    os.kill(number, stop)
                except (ProcessLookupError, PermissionError):
                    pass
            told |= found
            time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)


def carrying(mark: bytes) -> set[int]:
    """Numbers of the processes that have a variable which begins like this."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/environ", "rb") as stream:
                if any(one.startswith(mark) for one in stream.read().split(b"\0")):
                    found.add(int(name))
        except OSError:
            continue  # it has ended, or is another user's
    return found


if __name__ == "__main__":
    if len(sys.argv) == 2:
        watch(sys.argv[1])
    else:
        main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
