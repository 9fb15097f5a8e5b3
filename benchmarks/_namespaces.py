"""Hosts on one machine: network namespaces on a bridge, each with own shared memory and a limited bandwidth.

Linux, as root (`ip`, `tc`). The bound is for what a host sends (token bucket).
"""

from __future__ import annotations

import os
import subprocess

__all__ = ["Hosts"]


def ip(*arguments):
    subprocess.run(["ip", *map(str, arguments)], check=True)


class Hosts:
    """`count` hosts with addresses 10.77.0.1, …; a context manager.

    Parameters
    ----------
    rate : of each host, as `tc` takes it: "1gbit"; None for no bound.
    """

    def __init__(self, count, rate=None):
        self.count, self.rate = count, rate
        self._prefix = f"mxcy{os.getpid() % 10000}"

    def __enter__(self):
        bridge = f"{self._prefix}b"
        try:
            ip("link", "add", bridge, "type", "bridge")
            ip("link", "set", bridge, "up")
            for i in range(self.count):
                name, near = self.name(i), f"{self._prefix}v{i}"
                ip("netns", "add", name)
                ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("link", "set", near, "master", bridge, "up")
                ip("-n", name, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
                for device in ("lo", "eth0"):
                    ip("-n", name, "link", "set", device, "up")
                if self.rate:
                    command = f"tc -n {name} qdisc add dev eth0 root tbf burst 256kb latency 50ms rate"
                    subprocess.run([*command.split(), self.rate], check=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for i in range(self.count):  # the link by itself: with the namespace it goes some time later
            self._delete("link", f"{self._prefix}v{i}")
            self._delete("netns", self.name(i))
        self._delete("link", f"{self._prefix}b")

    def _delete(self, kind, name):
        subprocess.run(["ip", kind, "del", name], check=False, stderr=subprocess.DEVNULL)

    def name(self, i):
        """Name of a host's namespace."""
        return f"{self._prefix}h{i}"

    def address(self, i):
        """Address of a host."""
        return f"10.77.0.{i + 1}"

    def start(self, i, command, **options):
        """Start a process on a host, where /dev/shm is the host's own."""
        mount = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        whole = ["ip", "netns", "exec", self.name(i), "sh", "-c", mount, "sh", *map(str, command)]
        return subprocess.Popen(whole, **options)
