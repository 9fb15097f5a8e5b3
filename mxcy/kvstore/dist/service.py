"""`Service`: a server's sockets around a core (`Shard`, `Membership`, `Aggregator`), in a thread of its own.

Who may talk. The socket binds to one address of the cluster. CURVE admits only who holds the client key of
the job, everything else ends in the handshake. A peer then says hello with the job's token; frames of
peers that have not, frames that are none, and frames out of their stream are counted and dropped. A peer of
another machine is given the key of a `Channel`, which it may open once; who cannot name one is thrown out.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from ...errors import FormatError, MXNetError, problem
from .arena import View
from .channel import KEY_BYTES, NAME_BYTES, Channel
from .clock import Clock
from .frames import PROTOCOL, Frame, Kind, decode, encode

__all__ = ["Service", "Ticket", "make_ticket"]

VERSION_TEXT = "protocol {} of mxcy's KVStore was expected, {} came: install one version everywhere"
TICK_MS = 200
EAGER = 64 << 10  # parts up to here are copied out of ZeroMQ's buffers
NAMELESS = 16  # connections that have not named their channel, and how long they may take
NAMELESS_SECONDS = 5.0
PORT_SECONDS = 5.0  # for which one that comes back waits for its port


@dataclass(frozen=True)
class Ticket:
    """What lets a process into a job. Servers hold the secret key of the server too."""

    job: str
    token: str
    server_public: str
    client_public: str
    client_secret: str
    server_secret: str = ""

    def for_workers(self) -> Ticket:
        """Return the ticket without the secret of the servers."""
        return Ticket(**asdict(self) | {"server_secret": ""})

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @staticmethod
    def of(text: str) -> Ticket:
        """Return what `to_json` gave."""
        return Ticket(**json.loads(text))


def make_ticket(job: str) -> Ticket:
    """Draw the keys and the token of a new job."""
    server, client = zmq.curve_keypair(), zmq.curve_keypair()
    return Ticket(job, secrets.token_hex(16), server[0].decode(), client[0].decode(), client[1].decode(),
                  server[1].decode())  # fmt: skip


class Peer:
    """Who has said hello on a connection."""

    __slots__ = ("asked", "got", "identity", "sender", "sent", "stream", "view")

    def __init__(self, identity: bytes, sender: int, stream: int, view: View | None):
        self.identity, self.sender, self.stream, self.view = identity, sender, stream, view
        self.got = self.sent = 0
        self.asked = False  # to begin a new stream


class Service:
    """Runs a core.

    Parameters
    ----------
    core : has `handle(sender, frame, shared)`, `tick(now)`, `pong(sender)`, `joined(sender, local)`,
        `bound(port)`, `close()`, `release()`, `port`, the set `again`, and whether it `carries` values.
    ticket : of the job, with the servers' secret.
    address : to bind to; the port is that of the core, or any free one.
    memory : name of the shared memory; values of peers that reach the same one do not travel in frames.
    """

    def __init__(self, core: Any, ticket: Ticket, address: str = "127.0.0.1", memory: str = ""):
        self.core, self.ticket, self.memory = core, ticket, memory
        self.incarnation = secrets.randbits(53)
        self._poller = zmq.Poller()
        self.counters: Counter[str] = Counter()
        self._peers: dict[bytes, Peer] = {}
        self._of_sender: dict[int, Peer] = {}
        self._context = zmq.Context()
        self._zap = self._context.socket(zmq.REP)
        self._zap.bind("inproc://zeromq.zap.01")
        self._socket = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.ROUTER_HANDOVER, 1),
            (zmq.CURVE_SERVER, 1), (zmq.MAXMSGSIZE, 1 << 30), (zmq.HANDSHAKE_IVL, 5000),
        ):  # fmt: skip
            self._socket.setsockopt(option, value)
        self._socket.zap_domain = ticket.job.encode()
        self._socket.curve_secretkey = ticket.server_secret.encode()
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        )
        self._stopper, self._stop_end = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        name = f"inproc://stop-{self.incarnation}"
        self._stopper.bind(name)
        self._stop_end.connect(name)
        self._event = os.eventfd(0, os.EFD_NONBLOCK)
        core.wake, core.settle = self._wake, self._settle
        self._channels: dict[bytes, Channel] = {}
        self._by_descriptor: dict[int, bytes] = {}
        self._offers: dict[bytes, tuple[int, bytes]] = {}  # (sender, key) by name
        self._owners: dict[bytes, int] = {}  # who may say hello on a channel
        self._listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._bind(address, core.port)
        self.endpoint: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        core.bound(int(self.endpoint.rsplit(":", 1)[1]))
        self.channel_port = 0
        if core.carries:
            self._listener.bind((address, 0))
            self._listener.listen(64)
            self._listener.setblocking(False)
            self.channel_port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="mxcy-kvstore-server", daemon=True)
        self.failed: BaseException | None = None

    def _bind(self, address: str, port: int) -> None:
        """Take the port of before, if there is one: peers know no other. Take any if it does not get free."""
        until = time.monotonic() + PORT_SECONDS
        while port and time.monotonic() < until:
            try:
                self._socket.bind(f"tcp://{address}:{port}")
                return
            except zmq.ZMQError:
                time.sleep(0.05)  # until who has it is gone
        try:
            self._socket.bind(f"tcp://{address}:*")
        except zmq.ZMQError as error:
            self._close_sockets()
            text = f"cannot listen on {address}: {error}"
            raise MXNetError(problem("KVStore", None, text, "is it an address of this machine?")) from None

    def _wake(self) -> None:
        """Have the core's `tick` called soon; from any thread."""
        os.eventfd_write(self._event, 1)

    def start(self) -> Service:
        """Begin to serve."""
        self._thread.start()
        return self

    def stop(self, keep: bool = False) -> None:
        """End the thread and the sockets; remove what the core keeps, unless it is to come back."""
        if self._thread.is_alive():
            self._stop_end.send(b"keep" if keep else b"stop")
            self._thread.join()

    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    # -- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        poller, clock = self._poller, Clock()
        for one in (self._socket, self._zap, self._monitor, self._stopper, self._event):
            poller.register(one, zmq.POLLIN)
        if self.channel_port:
            poller.register(self._listener.fileno(), zmq.POLLIN)
        keep = False
        try:
            while True:
                ready = dict(poller.poll(TICK_MS))
                if self._zap in ready:
                    self._admit()
                if self._monitor in ready:
                    recv_monitor_message(self._monitor)
                    self.counters["refused"] += 1
                if self._stopper in ready:
                    keep = self._stopper.recv() == b"keep"
                    return
                if self._event in ready:
                    os.eventfd_read(self._event)
                if self._socket in ready:
                    self._drain()
                if self._listener.fileno() in ready:
                    self._accept()
                for descriptor in ready.keys() & self._by_descriptor.keys():
                    self._receive(self._by_descriptor[descriptor])
                self._send(self.core.tick(clock.turn()))
                self._flush_channels()
        except BaseException as error:
            self.failed = error
            raise
        finally:
            if keep:
                self.core.release()
            else:
                self.core.close()
            for peer in self._peers.values():
                peer.view = None
            self._close_sockets()

    def _close_sockets(self) -> None:
        os.close(self._event)
        self._listener.close()
        for channel in self._channels.values():
            channel.close()
        self._socket.disable_monitor()
        self._context.destroy(linger=0)

    def _admit(self) -> None:
        """Answer ZeroMQ's question whether a client key may come in."""
        version, request, _, _, _, mechanism, *keys = self._zap.recv_multipart()
        known = z85.decode(self.ticket.client_public)
        good = mechanism == b"CURVE" and len(keys) == 1 and hmac.compare_digest(keys[0], known)
        code, text = (b"200", b"OK") if good else (b"400", b"unknown key")
        self._zap.send_multipart([version, request, code, text, b"worker", b""])

    def _drain(self) -> None:
        """Take what has arrived, a bounded number at a time so that the rest gets its turn."""
        for _ in range(64):
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            identity = parts[0].bytes
            message = [p.bytes if len(p) <= EAGER else p.buffer for p in parts[1:]]
            try:
                self._take(identity, decode(message))
            except FormatError as error:
                self.counters["malformed"] += 1
                self._refuse(identity, message, error)

    def _refuse(self, identity: bytes, message: list, error: FormatError) -> None:
        """Say so to a peer of another version; others get no answer."""
        if "protocol" in str(error):
            body = {"error": "MXNetError", "text": str(error), "final": True}
            self._post(identity, Frame(Kind.ERROR, body=body))

    # -- channels ---------------------------------------------------------------------------------------

    def _offer(self, sender: int) -> list[Any]:
        """Port, name and key of a channel for a sender, in place of what it was offered before."""
        name, key = secrets.token_bytes(NAME_BYTES), secrets.token_bytes(KEY_BYTES)
        self._offers = {n: offer for n, offer in self._offers.items() if offer[0] != sender}
        self._offers[name] = (sender, key)
        return [self.channel_port, name.hex(), key.hex()]

    def _accept(self) -> None:
        """Let a connection in. It has to name its channel."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        self._throw_out(NAMELESS_SECONDS)
        if sum(not channel.known() for channel in self._channels.values()) >= NAMELESS:
            self.counters["refused"] += 1
            connection.close()
            return
        identity = b"channel-" + secrets.token_bytes(8)
        channel = Channel(connection, find=lambda name: self._found(identity, name))
        self._channels[identity] = channel
        self._by_descriptor[channel.fileno()] = identity
        self._poller.register(channel.fileno(), zmq.POLLIN)

    def _found(self, identity: bytes, name: bytes) -> bytes:
        """The key of a channel, once."""
        offer = self._offers.pop(name, None)
        if offer is None:
            raise FormatError(problem("KVStore", "channel", "nobody was offered this one"))
        self._owners[identity], key = offer
        return key

    def _throw_out(self, seconds: float) -> None:
        """Close connections that have not named a channel for so long."""
        late = time.monotonic() - seconds
        for identity, channel in list(self._channels.items()):
            if not channel.known() and channel.moved < late:
                self.counters["refused"] += 1
                self._drop(identity)

    def _drop(self, identity: bytes) -> None:
        channel = self._channels.pop(identity, None)
        if channel is None:
            return
        self._by_descriptor.pop(channel.fileno())
        self._poller.unregister(channel.fileno())
        self._owners.pop(identity, None)
        channel.close()
        peer = self._peers.pop(identity, None)
        if peer is not None and self._of_sender.get(peer.sender) is peer:
            del self._of_sender[peer.sender]

    def _receive(self, identity: bytes) -> None:
        channel = self._channels[identity]
        try:
            for message in channel.receive():
                self._take(identity, decode(message))
        except FormatError:
            self.counters["malformed" if identity in self._owners else "refused"] += 1
            self._drop(identity)
        except OSError:
            self._drop(identity)

    def _flush_channels(self) -> None:
        for identity, channel in list(self._channels.items()):
            try:
                if channel.pending():
                    done = channel.flush()
                    self._poller.register(channel.fileno(), zmq.POLLIN if done else zmq.POLLIN | zmq.POLLOUT)
            except OSError:
                self._drop(identity)

    def _settle(self) -> None:
        """Values that are being sent are about to change."""
        for channel in self._channels.values():
            channel.settle()

    # -- frames -----------------------------------------------------------------------------------------

    def _take(self, identity: bytes, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:
            self._hello(identity, frame)
            return
        peer = self._peers.get(identity)
        if peer is None:
            self.counters["strangers"] += 1
            # Its hello is lost, or went to the incarnation before this one: it has to say so again.
            which = {"incarnation": self.incarnation, "stream": frame.stream}
            self._post(identity, Frame(Kind.HELLO, body=which))
            return
        if frame.sender != peer.sender or frame.stream != peer.stream:
            self.counters["stale"] += 1
            return
        if frame.kind == Kind.PING:
            again = peer.sender in self.core.again
            self.core.again.discard(peer.sender)
            body = {"got": peer.got, "expected": frame.body.get("sent", 0), "sent": peer.sent, "again": again}
            body |= self.core.pong(peer.sender, frame)
            self._post(identity, Frame(Kind.PONG, stream=peer.stream, body=body))
            return
        if frame.number != peer.got + 1:
            self.counters["out_of_order"] += 1
            if frame.number > peer.got + 1 and not peer.asked:
                peer.asked = True
                which = {"incarnation": self.incarnation, "stream": peer.stream}
                self._post(identity, Frame(Kind.HELLO, body=which))
            return
        peer.got += 1
        shared: Callable | None = peer.view.bytes if peer.view is not None else None
        self._send(self.core.handle(peer.sender, frame, shared))

    def _hello(self, identity: bytes, frame: Frame) -> None:
        body = frame.body
        try:
            if not hmac.compare_digest(str(body["token"]), self.ticket.token):
                raise FormatError("token")
            if self._owners.get(identity, frame.sender) != frame.sender:
                raise FormatError("the channel of another")
            arena = str(body.get("arena") or "")
            local = bool(self.memory) and body.get("memory") == self.memory
            view = View(arena) if local and arena.startswith(f"mxcy-{self.ticket.job}-") else None
            greeting = self.core.joined(frame.sender, local, body)
        except (KeyError, MXNetError) as error:
            self.counters["strangers"] += 1
            if not isinstance(error, (FormatError, KeyError)):
                final = {"error": type(error).__name__, "text": str(error), "final": True}
                self._post(identity, Frame(Kind.ERROR, body=final))
            return
        old = self._of_sender.get(frame.sender)
        if old is not None:
            if old.identity == identity and frame.stream <= old.stream:
                self.counters["stale"] += 1
                return
            self._peers.pop(old.identity, None)
            if old.identity != identity:
                self._drop(old.identity)
        peer = self._peers[identity] = self._of_sender[frame.sender] = Peer(
            identity, frame.sender, frame.stream, view
        )
        welcome = {"incarnation": self.incarnation, "protocol": PROTOCOL} | greeting
        if self.channel_port and not local and body.get("channel") and identity not in self._channels:
            welcome["channel"] = self._offer(frame.sender)
        self._post(identity, Frame(Kind.WELCOME, stream=peer.stream, body=welcome))

    def _send(self, out: list[tuple[int, Frame]]) -> None:
        for receiver, frame in out:
            peer = self._of_sender.get(receiver)
            if peer is not None:
                peer.sent += 1
                frame.stream, frame.number = peer.stream, peer.sent
                self._post(peer.identity, frame)

    def _post(self, identity: bytes, frame: Frame) -> None:
        channel = self._channels.get(identity)
        if channel is not None:
            channel.put(encode(frame))
            return
        try:
            self._socket.send_multipart([identity, *encode(frame)], zmq.NOBLOCK, copy=True)
        except zmq.ZMQError:
            self.counters["unsent"] += 1  # the peer is gone: it asks again when it is back
