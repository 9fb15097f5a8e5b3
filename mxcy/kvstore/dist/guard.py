"""Runs a program of `mxcy launch` on a machine of the cluster, and ends it when nobody wants it any more.

    python guard.py STATUS FOLDER PROGRAM…
    python guard.py FOLDER MEMORY [SESSION]

Whoever starts this holds the other end of its standard input: when that ends, be it closed or be its holder
killed, the program and all processes of its session are ended, and the folder is removed. The exit code goes
to the descriptor STATUS, as `subprocess` has it: negative for signals. Ray kills the children of an actor
that it kills, so this forks away from its parent at once. It imports nothing of mxcy: it starts quickly.

Without a program it ends what its holder has started: all processes whose `MXCY_KVSTORE_JOB` lies in the
folder. If the holder was killed, which is who wrote nothing before the end, the files that begin with MEMORY
go too, and the folder of the session of Ray that the holder had started: it ends by itself.
"""

import glob
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


def watch(folder: str, memory: str, session: str | None = None) -> None:
    """Wait for the end of standard input; then end the processes of a job, and remove what is left of it."""
    killed = not os.read(0, 1)
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
    until = time.monotonic() + GRACE_SECONDS
    while killed and session and os.path.isdir(session) and time.monotonic() < until:
        remove_session(session)
        time.sleep(0.1)  # while Ray ends it writes there
    for path in glob.glob(glob.escape(memory) + "*") if killed else ():
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass  # a server that was about to end has removed it
    shutil.rmtree(folder, ignore_errors=True)


def remove_session(session: str) -> None:
    """Remove the folder of a session of Ray, and the link that says that it is the latest."""
    latest = os.path.join(os.path.dirname(session), "session_latest")
    if os.path.islink(latest) and os.path.realpath(latest) == os.path.realpath(session):
        os.unlink(latest)
    shutil.rmtree(session, ignore_errors=True)


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
    if sys.argv[1].isdigit():
        main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
    else:
        watch(*sys.argv[1:])
