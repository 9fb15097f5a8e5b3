"""`Connections`: a worker's side of the wire. One thread sends, receives, and sends again what was lost.

A request goes to one server and stays here until it is answered. Once a second each server is asked how
much of the stream it has got and how much it has sent: if either does not agree with this side, or the
server is another incarnation, a new stream is opened and everything unanswered is sent again, in order.
Servers know by the rounds what they have applied, so that is harmless.

When ZeroMQ has connected again, perhaps to a server that came back, the question is asked at once: waits
would otherwise take a second longer with each restart, and never end when restarts are faster than questions.

A link begins on ZeroMQ with CURVE. A server that keeps values for another machine answers the hello with the
key of a `Channel`, and the link says hello again there and stays on it.
"""

from __future__ import annotations

import _thread
import errno
import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import zmq
from zmq.utils.monitor import recv_monitor_message

from ... import errors
from ...errors import FormatError, MXNetError, problem
from .arena import View
from .channel import Channel
from .clock import Clock
from .frames import ENTRY, HEADER, SHARED, Codec, Frame, Kind, decode, encode
from .service import Ticket

__all__ = ["Connections", "Request"]

TURN_SECONDS = 0.25  # the thread looks around as often, at least
PING_SECONDS = 1.0
REOPEN_SECONDS = 3.0  # silence after which a connection is made anew; twice as long each time, up to
PATIENCE_SECONDS = 24.0
AGAIN_SECONDS = 0.2  # after a channel broke, or the first handshake that failed
EAGER = 64 << 10
REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class Request:
    """Something asked of one server.

    Attributes
    ----------
    result : of a call: (dict, parts); of a pull: a list of (unit, count, offset, size, start, data, codec).
    then : called when it is answered, in the thread of the connections.
    sinks : of a pull: by unit, the bytes of the array that waits for it; parts that come may be put there.
    """

    __slots__ = (
        "_lock",
        "error",
        "frames",
        "left",
        "link",
        "number",
        "pairs",
        "result",
        "sinks",
        "then",
        "wanted",
    )

    def __init__(self, frames: list[Frame], pairs: set | None = None, wanted: int = 0):
        self.frames, self.pairs, self.wanted = frames, pairs, wanted
        self.left = wanted
        self.number = 0
        self.link: Link | None = None
        self.result: Any = [] if wanted else None
        self.error: BaseException | None = None
        self.then: Callable[[], Any] | None = None
        self.sinks: dict[int, np.ndarray] = {}
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def finish(self, error: BaseException | None = None) -> None:
        """Let go those who wait."""
        if not self._lock.locked():
            return
        self.error = error
        self.frames = []
        then, self.then = self.then, None  # which refers to this request
        self._lock.release()
        if then is not None:
            then()

    def done(self) -> bool:
        """Whether it is answered, or has failed."""
        return not self._lock.locked()

    def wait(self, seconds: float, late: Callable[[], BaseException]) -> Any:
        """Return the result; raise its error, or what `late()` returns after so many seconds."""
        if not self._lock.acquire(timeout=seconds):
            self.sinks = {}
            raise late()
        self._lock.release()
        if self.error is not None:
            raise self.error
        return self.result


class Link:
    """The connection to one server."""

    def __init__(self, number: int, endpoint: str, now: float):
        self.number, self.endpoint = number, endpoint
        self.socket: Any = None
        self.monitor: Any = None  # tells when the socket has connected, again too
        self.connected = 0  # how often it has
        self.channel: Channel | None = None
        self.ready = False  # the other side has said welcome where the link stays
        self.stream = 0
        self.sent = self.got = 0
        self.incarnation: int | None = None
        self.welcome: dict | None = None
        self.open: dict[int, Request] = {}  # in the order of sending
        self.pushes: dict[tuple[int, int], Request] = {}
        self.view: View | None = None
        self.heard = self.moved = now
        self.pinged = self.opened = 0.0
        self.patience = REOPEN_SECONDS
        self.again = 0.0  # when to open it anew, after its channel broke or a handshake failed
        self.refused = False  # whether for a handshake

    def quiet(self) -> float:
        """When something was last heard, or the channel last moved."""
        return max(self.heard, self.opened, self.moved)


class Connections:
    """All connections of one process, and their thread.

    Parameters
    ----------
    sender : number of this process in the job.
    ticket : of the job.
    hello : what is told to servers: `machine` and `arena`.
    ping : called with (server number, dict) for each answer to a ping; `say`: what goes with a ping.
    """

    def __init__(
        self,
        sender: int,
        ticket: Ticket,
        hello: dict,
        ping: Callable[[int, dict], None] | None = None,
        say: Callable[[int], dict] | None = None,
    ):
        self.sender, self.ticket, self.hello = sender, ticket, hello
        self._ping, self._say = ping, say
        self.clock = Clock()
        self.links: dict[int, Link] = {}
        self.counters = {"resent": 0, "bytes_out": 0, "bytes_in": 0, "dropped": 0}
        self._context = zmq.Context()
        self._outbox: deque[tuple[Link, Request]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._numbers = 0
        self._unapplied: list[Request] = []  # pushes, some of which may be done
        self._lock = threading.Lock()
        self._stopping = False
        self._error: BaseException | None = None
        self._asked: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="mxcy-kvstore-client", daemon=True)
        self._poller = zmq.Poller()
        self._poller.register(self._wake, zmq.POLLIN)
        self._thread.start()

    # -- from any thread --------------------------------------------------------------------------------

    def connect(self, server: int, endpoint: str) -> None:
        """Connect to a server, or to its new place."""
        self._asked.append(lambda: self._connect(server, endpoint))
        os.eventfd_write(self._wake, 1)

    def send(self, server: int, request: Request) -> Request:
        """Send a request; it is answered some time."""
        if self._error is not None:
            request.finish(self._error)
            return request
        with self._lock:
            self._numbers += 1
            request.number = self._numbers
            for frame in request.frames:
                frame.request = request.number
            link = request.link = self.links.get(server) or self._made(server)
            if request.pairs is not None:
                if self._numbers % 64 == 0:
                    self._unapplied = [r for r in self._unapplied if not r.done()]
                self._unapplied.append(request)
            self._outbox.append((link, request))
        os.eventfd_write(self._wake, 1)
        return request

    def _made(self, server: int) -> Link:
        link = self.links[server] = Link(server, "", self.clock.now)
        return link

    def call(self, server: int, method: str, parts: list | None = None, **body: Any) -> Request:
        """Call a method of a server."""
        frame = Frame(Kind.CALL, body=body | {"method": method}, parts=parts or [])
        return self.send(server, Request([frame]))

    def fail(self, error: BaseException) -> None:
        """Finish everything, now and later, with an error."""
        self._error = error
        self._asked.append(self._fail_all)
        if self._thread.is_alive():
            os.eventfd_write(self._wake, 1)

    def unapplied(self) -> list[Request]:
        """Return the pushes that are not answered."""
        with self._lock:
            self._unapplied = [request for request in self._unapplied if not request.done()]
            return list(self._unapplied)

    def usable(self) -> bool:
        """Whether nothing has gone wrong with all of it."""
        return self._error is None

    def close(self) -> None:
        """End the thread and the sockets; what is unanswered fails."""
        if not self._thread.is_alive():
            return
        if self._error is None:
            self._error = MXNetError(problem("KVStore", None, "the store is closed"))
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        os.close(self._wake)

    # -- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                ready = dict(self._poller.poll(int(TURN_SECONDS * 1000)))
                now = self.clock.turn()
                if self._wake in ready:
                    try:
                        os.eventfd_read(self._wake)
                    except BlockingIOError:
                        pass
                while self._asked:
                    self._asked.popleft()()
                for link in list(self.links.values()):
                    if link.socket is not None and link.socket in ready:
                        self._drain(link)
                    if link.monitor is not None and link.monitor in ready:
                        self._watch(link, now)
                self._flush()
                for link in list(self.links.values()):
                    if link.channel is not None:
                        self._move(link)
                    self._look_after(link, now)
        except BaseException as error:
            self._error = self._error or error
            raise
        finally:
            self._fail_all()
            for link in self.links.values():
                self._hang_up(link)
                self._leave_socket(link)
                link.view = None
            self._context.destroy(linger=0)

    def _look_after(self, link: Link, now: float) -> None:
        """Ask whether the other side is there; begin anew if it has been silent."""
        if link.again and now >= link.again:
            self._open(link)
        elif link.socket is not None and not link.again and now - link.pinged >= PING_SECONDS:
            if now - link.quiet() > link.patience:
                # A machine that is too busy to answer in time must not be kept busy with new connections.
                link.patience = min(2 * link.patience, PATIENCE_SECONDS)
                self._open(link)
            else:
                self._send_ping(link, now)

    def _fail_all(self) -> None:
        error = self._error or MXNetError(problem("KVStore", None, "the store is closed"))
        with self._lock:
            waiting = [request for _, request in self._outbox]
            self._outbox.clear()
        for link in self.links.values():
            waiting += link.open.values()
            link.open.clear()
            link.pushes.clear()
        for request in waiting:
            request.finish(error)

    def _connect(self, server: int, endpoint: str) -> None:
        with self._lock:
            link = self.links.get(server) or self._made(server)
        if link.socket is not None and link.endpoint == endpoint:
            return
        link.endpoint = endpoint
        self._open(link)

    def _open(self, link: Link) -> None:
        """Make a new socket. ZeroMQ gives one up for good when a handshake fails, as with a dying server."""
        self._hang_up(link)
        self._leave_socket(link)
        link.opened, link.again, link.refused = self.clock.now, 0.0, False
        link.socket = self._context.socket(zmq.DEALER)
        link.socket.setsockopt(zmq.IDENTITY, f"{self.sender}-{secrets.token_hex(6)}".encode())
        for option, value in ((zmq.LINGER, 0), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.RECONNECT_IVL, 50),
                              (zmq.RECONNECT_IVL_MAX, 200), (zmq.HANDSHAKE_IVL, 2000),
                              (zmq.HEARTBEAT_IVL, 2000), (zmq.HEARTBEAT_TIMEOUT, 5000)):  # fmt: skip
            link.socket.setsockopt(option, value)
        link.socket.curve_serverkey = self.ticket.server_public.encode()
        link.socket.curve_publickey = self.ticket.client_public.encode()
        link.socket.curve_secretkey = self.ticket.client_secret.encode()
        link.monitor = link.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | REFUSED)
        link.connected = 0
        for one in (link.socket, link.monitor):
            self._poller.register(one, zmq.POLLIN)
        link.socket.connect(link.endpoint)
        self._restart(link)

    def _leave_socket(self, link: Link) -> None:
        if link.socket is None:
            return
        link.socket.disable_monitor()
        for one in (link.socket, link.monitor):
            self._poller.unregister(one)
            one.close(linger=0)
        link.socket = link.monitor = None

    def _watch(self, link: Link, now: float) -> None:
        """The socket has connected, or could not."""
        while link.monitor.poll(0):
            if recv_monitor_message(link.monitor)["event"] == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                link.connected += 1
                if link.refused:
                    link.again, link.refused = 0.0, False
                if link.connected > 1 and link.channel is None and not link.again:
                    self._send_ping(link, now)  # what was under way is lost; the hello of a new socket is not
            elif not link.again:
                link.again = now + AGAIN_SECONDS * link.patience / REOPEN_SECONDS
                link.refused, link.patience = True, min(2 * link.patience, PATIENCE_SECONDS)

    def _restart(self, link: Link) -> None:
        """Open a new stream, and send again what is unanswered."""
        link.stream += 1
        link.sent = link.got = 0
        link.pinged = self.clock.now
        hello = self.hello | {"token": self.ticket.token, "channel": True}
        self._post(link, Frame(Kind.HELLO, body=hello))
        if link.ready:
            self._transmit_open(link)

    def _transmit_open(self, link: Link) -> None:
        for request in list(link.open.values()):
            self.counters["resent"] += 1
            if request.wanted:
                request.result, request.left = [], request.wanted
            self._transmit(link, request)

    def _post(self, link: Link, frame: Frame) -> None:
        frame.sender, frame.stream = self.sender, link.stream
        parts = encode(frame)
        if link.channel is not None:
            link.channel.put(parts)
            return
        try:
            link.socket.send_multipart(parts, zmq.NOBLOCK, copy=all(len(p) <= EAGER for p in parts[2:]))
        except zmq.Again:
            pass  # the connection has failed; the request is sent again on the next one

    def _transmit(self, link: Link, request: Request) -> None:
        for frame in request.frames:
            link.sent += 1
            frame.number = link.sent
            self._post(link, frame)

    def _flush(self) -> None:
        while self._outbox:
            with self._lock:
                if not self._outbox:
                    return
                if self._outbox[0][0].socket is None:
                    return  # connect comes first
                link, request = self._outbox.popleft()
            link.open[request.number] = request
            for pair in request.pairs or ():
                link.pushes[pair] = request
            self.counters["bytes_out"] += sum(len(p) for f in request.frames for p in f.parts)
            if link.ready:
                self._transmit(link, request)

    def _send_ping(self, link: Link, now: float) -> None:
        link.pinged = now
        body = {"sent": link.sent, "got": link.got} | (self._say(link.number) if self._say else {})
        self._post(link, Frame(Kind.PING, body=body))

    def _drain(self, link: Link) -> None:
        for _ in range(64):
            try:
                parts = link.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            try:
                frame = decode([p.bytes if len(p) <= EAGER else p.buffer for p in parts])
            except FormatError:
                self.counters["dropped"] += 1
                continue
            self._hear(link)
            self._take(link, frame)

    # -- channels ---------------------------------------------------------------------------------------

    def _call_up(self, link: Link, port: int, name: str, key: str) -> None:
        """Go over to a channel that the server offers."""
        host = link.endpoint.removeprefix("tcp://").rpartition(":")[0]
        connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        connection.setblocking(False)
        link.channel = Channel(
            connection, bytes.fromhex(name), bytes.fromhex(key), place=partial(self._place, link)
        )
        if connection.connect_ex((host.strip("[]"), port)) not in (0, errno.EINPROGRESS):
            self._broken(link)
            return
        self._restart(link)
        self._poller.register(link.channel.fileno(), zmq.POLLIN | zmq.POLLOUT)

    def _hang_up(self, link: Link) -> None:
        link.ready = False
        channel, link.channel = link.channel, None
        if channel is not None:
            if channel.fileno() in self._poller:
                self._poller.unregister(channel.fileno())
            channel.close()

    def _broken(self, link: Link) -> None:
        """The channel is gone: go back to ZeroMQ, soon, for a new one."""
        self._hang_up(link)
        link.again = self.clock.now + AGAIN_SECONDS

    def _move(self, link: Link) -> None:
        """Send and receive what the channel can take and has."""
        channel = link.channel
        assert channel is not None
        moved = channel.moved
        try:
            for message in channel.receive():
                self._hear(link)
                self._take(link, decode(message))
                if link.channel is not channel:
                    return
            channel.flush()
        except (OSError, FormatError):
            self._broken(link)
            return
        if channel.moved != moved:
            link.moved = self.clock.now
        self._poller.register(channel.fileno(), zmq.POLLIN | (zmq.POLLOUT if channel.pending() else 0))

    def _place(self, link: Link, header: Any, body: Any, lengths: list[int]) -> list[Any] | None:
        """Where the parts of a frame go: a value goes to the array that waits for it."""
        if len(lengths) != 1 or len(body) != ENTRY.itemsize:
            return None
        fields = HEADER.unpack(header)
        request = link.open.get(fields[7])
        if fields[2] != Kind.VALUE or fields[5] != link.stream or request is None or not request.sinks:
            return None
        unit, _, at, size, _, _, _, codec = np.frombuffer(body, ENTRY).item()
        sink = request.sinks.get(unit)
        if sink is None or codec != Codec.PLAIN or size != lengths[0] or at + size > len(sink):
            return None
        return [sink[at : at + size].data]

    # -- what comes -------------------------------------------------------------------------------------

    def _hear(self, link: Link) -> None:
        link.heard, link.patience = self.clock.now, REOPEN_SECONDS

    def _take(self, link: Link, frame: Frame) -> None:
        if frame.kind == Kind.HELLO:  # a server that is another incarnation, or misses a frame or the hello
            if frame.body.get("incarnation") != link.incarnation or frame.body.get("stream") == link.stream:
                link.incarnation = frame.body.get("incarnation")
                self._restart(link)
            return
        if frame.kind == Kind.ERROR and frame.body.get("final"):
            self._error = error_of(frame.body)
            self._fail_all()
            return
        if frame.stream != link.stream:
            self.counters["dropped"] += 1
            return
        if frame.kind == Kind.WELCOME:
            link.incarnation = frame.body["incarnation"]
            link.welcome = frame.body
            if frame.body.get("arena"):
                link.view = View(str(frame.body["arena"]))
            if frame.body.get("channel") and link.channel is None:
                self._call_up(link, *frame.body["channel"])
            elif not link.ready:
                link.ready = True
                self._transmit_open(link)
            return
        if frame.kind == Kind.PONG:
            self._pong(link, frame.body)
            return
        if frame.number != link.got + 1:
            self.counters["dropped"] += 1
            if frame.number > link.got + 1:
                self._restart(link)
            return
        link.got += 1
        self._answer(link, frame)

    def _pong(self, link: Link, body: dict) -> None:
        # Both sides compare at one point of the stream: the server when the ping comes, this one now.
        lost = body["got"] != body["expected"] or body["sent"] != link.got or not link.ready
        if body.get("again") or lost:
            self._restart(link)
        if self._ping is not None:
            self._ping(link.number, body)

    def _answer(self, link: Link, frame: Frame) -> None:
        if frame.kind == Kind.DONE:
            for pair in zip(frame.body["unit"].tolist(), frame.body["round"].tolist(), strict=True):
                request = link.pushes.pop(pair, None)
                if request is not None and request.pairs is not None:
                    request.pairs.discard(pair)
                    if not request.pairs:
                        link.open.pop(request.number, None)
                        request.finish()
            return
        request = link.open.get(frame.request)
        if request is None:
            return  # answered already
        if frame.kind == Kind.VALUE:
            for entry in frame.body.tolist():
                unit, count, offset, size, start, length, part, codec = entry
                data = SHARED if part == SHARED else memoryview(frame.parts[part])[start : start + length]
                request.result.append((unit, count, offset, size, start, data, codec))
                request.left -= 1 if codec else size
                self.counters["bytes_in"] += length
            if request.left > 0:
                return
        elif frame.kind == Kind.RESULT:
            request.result = (frame.body, list(frame.parts))
        elif frame.kind == Kind.ERROR:
            self._close_request(link, request, error_of(frame.body))
            return
        self._close_request(link, request, None)

    def _close_request(self, link: Link, request: Request, error: BaseException | None) -> None:
        link.open.pop(request.number, None)
        for pair in request.pairs or ():
            link.pushes.pop(pair, None)
        request.finish(error)


def error_of(body: dict) -> MXNetError:
    """The error that a server names; only classes of `mxcy.errors` are made."""
    name = str(body.get("error"))
    klass = getattr(errors, name, MXNetError) if name in errors.__all__ else MXNetError
    if not (isinstance(klass, type) and issubclass(klass, MXNetError)):
        klass = MXNetError
    return klass(str(body.get("text")))
