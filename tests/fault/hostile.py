"""Hostile bytes on both ports beside a feed and a viewer who behave: no crash, no gap, no growth, and every
socket closed by a deadline."""
import os
import random
import socket
import struct
import threading
import time

from harness import Encoder, Poller, Server, check, finish, note

SECONDS = 10
SLOW = 200
# What 200 connections and some 64 KiB buffers may cost; a leak by the request would be far above.
GROWTH_BYTES = 96 << 20


def connect(port, timeout=3):
    return socket.create_connection(("127.0.0.1", port), timeout)


def swallow(peer, limit=1 << 20):
    """Reads what it answers until it closes, or is silent for the socket's timeout."""
    got = b""
    try:
        while len(got) < limit:
            bite = peer.recv(65536)
            if not bite:
                return got, True
            got += bite
    except OSError as error:
        return got, not isinstance(error, TimeoutError)
    return got, False


def amf_string(text):
    return b"\x02" + struct.pack(">H", len(text)) + text


def chunked(body, kind=20, chunk=128):
    """One message on chunk stream 3 in chunks of 128 bytes."""
    head = b"\x03" + b"\0\0\0" + len(body).to_bytes(3, "big") + bytes([kind]) + b"\0\0\0\0"
    out = head + body[:chunk]
    for at in range(chunk, len(body), chunk):
        out += b"\xc3" + body[at:at + chunk]
    return out


def handshake(peer):
    peer.sendall(b"\x03" + bytes(8) + os.urandom(1528))
    got = b""
    while len(got) < 3073:
        bite = peer.recv(8192)
        if not bite:
            return
        got += bite
    peer.sendall(got[1:1537])


def rtmp_random(server, rng):
    with connect(server.rtmp) as peer:
        peer.sendall(rng.randbytes(rng.randrange(1, 8000)))
        peer.shutdown(socket.SHUT_WR)
        swallow(peer)


def rtmp_cut_handshake(server, rng):
    with connect(server.rtmp) as peer:
        peer.sendall((b"\x03" + bytes(8) + rng.randbytes(1528))[:rng.randrange(1, 1537)])


def rtmp_random_after_handshake(server, rng):
    with connect(server.rtmp) as peer:
        handshake(peer)
        peer.sendall(rng.randbytes(rng.randrange(1, 20000)))
        peer.shutdown(socket.SHUT_WR)
        swallow(peer)


def rtmp_deep_amf(server, rng):
    """Objects in objects, 50,000 deep: a parser that recurses without a limit falls over."""
    depth = 50_000
    body = amf_string(b"connect") + b"\0" + struct.pack(">d", 1) + b"\x03\0\1a" * depth
    with connect(server.rtmp) as peer:
        handshake(peer)
        peer.sendall(chunked(body))
        peer.shutdown(socket.SHUT_WR)
        swallow(peer)


def rtmp_huge_claim(server, rng):
    """A message of 16 MB is announced, and a chunk size of 2 GB."""
    with connect(server.rtmp) as peer:
        handshake(peer)
        peer.sendall(b"\x02" + bytes(3) + b"\0\0\4\1" + bytes(4) + b"\x7f\xff\xff\xff")
        peer.sendall(b"\x04" + bytes(3) + b"\xff\xff\xff\x09" + bytes(4) + rng.randbytes(50_000))
        peer.shutdown(socket.SHUT_WR)
        swallow(peer)


def http_random(server, rng):
    with connect(server.http) as peer:
        peer.sendall(rng.randbytes(rng.randrange(1, 8000)))
        peer.shutdown(socket.SHUT_WR)
        swallow(peer)


def http_many_headers(server, rng):
    with connect(server.http) as peer:
        peer.sendall(b"GET /live/c1/master.m3u8 HTTP/1.1\r\nHost: x\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(20_000))
                     + b"\r\n")
        got, _ = swallow(peer)
        # A reset may overtake the answer: we were still sending.
        check(not got or got.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")), f"20,000 headers: {got[:60]}")


def http_nonsense(server, rng):
    path = rng.choice([b"/live/../../etc/passwd", b"/live/%00/x", b"/live/c1/source/" + b"9" * 5000 + b".m4s",
                       b"/live/c1/source/media.m3u8?_HLS_msn=18446744073709551616&_HLS_part=-1", b"*", b"/s/" + b"A" * 3000 + b"/live/c1/master.m3u8",
                       b"/log/tile/entries/../../../secrets/admin-token"])
    with connect(server.http) as peer:
        peer.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\nConnection: close\r\n\r\n")
        got, _ = swallow(peer)
        check(not got.startswith(b"HTTP/1.1 200"), f"{path[:60]} is answered with 200")
        check(b"root:" not in got, "a file from outside came back")


ATTACKS = [rtmp_random, rtmp_cut_handshake, rtmp_random_after_handshake, rtmp_deep_amf, rtmp_huge_claim, http_random,
           http_many_headers, http_nonsense]


class Slow:
    """A connection that sends a byte a second and never a whole request."""

    def __init__(self, port, bytes_):
        self.peer = connect(port)
        self.peer.setblocking(False)
        self.bytes, self.at, self.closed = bytes_, 0, None

    def drip(self):
        if self.closed:
            return
        try:
            self.peer.send(self.bytes[self.at % len(self.bytes):][:1])
            self.at += 1
            if self.peer.recv(4096) == b"":
                self.closed = time.monotonic()
        except BlockingIOError:
            pass
        except OSError:
            self.closed = time.monotonic()


def main():
    server = Server({"limits.idle": "5s"})
    encoder = poller = None
    counts = dict.fromkeys((attack.__name__ for attack in ATTACKS), 0)
    try:
        server.start().up()
        encoder = Encoder(server.publish_url())
        server.wait_playlist(20, segments=2)
        poller = Poller(server)
        memory, began = server.program.memory(), time.monotonic()
        slow = [Slow(server.http, b"GET /live/c1/master.m3u8 HTTP/1.1\r\nX: " + b"a" * 64) for _ in range(SLOW // 2)]
        slow += [Slow(server.rtmp, b"\x03" + bytes(400)) for _ in range(SLOW // 2)]

        def attack(seed):
            rng = random.Random(seed)
            while time.monotonic() - began < SECONDS:
                one = rng.choice(ATTACKS)
                try:
                    one(server, rng)
                except OSError:
                    pass
                counts[one.__name__] += 1

        threads = [threading.Thread(target=attack, args=(seed,), daemon=True) for seed in range(4)]
        for thread in threads:
            thread.start()
        # Head of a request: 10 s; RTMP handshake: 10 s.
        while time.monotonic() - began < SECONDS + 6 and not all(one.closed for one in slow):
            for one in slow:
                one.drip()
            time.sleep(1)
        for thread in threads:
            thread.join(15)
        check(server.alive(), "it fell over:\n" + "\n".join(server.log_text().splitlines()[-20:]))
        check(encoder.sending() and encoder.starts == 1, "the publisher was dropped")
        left = [one for one in slow if not one.closed]
        check(not left, f"{len(left)} of {SLOW} slow connections are still open after {time.monotonic() - began:.0f} s")
        check(all(count > 0 for count in counts.values()), f"an attack was never tried: {counts}")
        list_ = server.playlist()
        check(not list_.gaps and not list_.discontinuities, f"the feed has gaps {list_.gaps} {list_.discontinuities}")
        long = [number for number, length in list(list_.durations.items())[:-1] if not 0.5 <= length <= 1.5]
        check(not long, f"segments of odd length: {long}")
        poller.stop()
        check(poller.failures == 0, f"{poller.failures} of the viewer's requests failed")
        expected = time.monotonic() - began
        check(poller.answers > expected * 3, f"the viewer got {poller.answers} answers in {expected:.0f} s")
        grown = server.program.memory() - memory
        check(grown < GROWTH_BYTES, f"it grew by {grown >> 20} MiB")
        sockets = sum(1 for fd in os.listdir(f"/proc/{server.pid}/fd")
                      if os.path.realpath(f"/proc/{server.pid}/fd/{fd}").rpartition("/")[2].startswith("socket:"))
        check(sockets < 30, f"{sockets} sockets are still open")
        for one in slow:
            one.peer.close()
        status, _ = server.terminate(15)
        check(status == 0, f"SIGTERM afterwards: exit {status}")
        note(f"{sum(counts.values())} attacks {counts}; {SLOW} slow connections closed after "
             f"{max((one.closed or 0) - began for one in slow):.1f} s; memory +{grown >> 20} MiB, {sockets} sockets left")
    finally:
        if encoder:
            encoder.stop()
        server.close()
    finish()


if __name__ == "__main__":
    main()
