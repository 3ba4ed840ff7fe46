"""100,000 mutated datagrams on the SRT port beside a feed that behaves: nothing changes for it. The templates are real
ones, taken from a second feed's conversation by a hop in its way; they come from many addresses, for socket ids that
exist and that do not, and some from the second feed's own address, which may lose by it."""
import random
import select
import socket
import struct
import threading
import time

from harness import KEY, Encoder, Poller, Server, check, finish, note

DATAGRAMS = 100_000
SOURCES = 16
GROWTH_BYTES = 96 << 20
HEALTH_BOUND = 0.25  # seconds; the median of what the health check takes meanwhile


class SrtEncoder(Encoder):
    def arguments(self):
        return ["-stream_loop", "-1", "-i", str(self.source), "-c", "copy", "-f", "mpegts", self.url]


class Hop(threading.Thread):
    """Passes on what the encoder of channel c2 and the server say to each other, and keeps some of it. Who holds it can
    speak to the server from that feed's own address."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.near.bind(("127.0.0.1", 0))
        self.port = self.near.getsockname()[1]
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.connect(("127.0.0.1", server.srt))
        self.taken = []
        self.feed = 0  # the id of the server's socket for it
        self.stopped = threading.Event()
        self.start()

    def run(self):
        try:
            self.pass_on()
        except ConnectionRefusedError:  # the server has gone
            pass

    def pass_on(self):
        client = None
        while not self.stopped.is_set():
            for ready in select.select([self.near, self.far], [], [], 0.2)[0]:
                if ready is self.near:
                    data, client = self.near.recvfrom(2048)
                    self.far.send(data)
                    self.feed = struct.unpack(">I", data[12:16])[0] or self.feed
                else:
                    data = self.far.recv(2048)
                    self.near.sendto(data, client)
                if len(self.taken) < 2_000:
                    self.taken.append(data)

    def templates(self):
        control = [data for data in self.taken if data[0] & 0x80]
        kinds = {struct.unpack(">H", data[:2])[0] & 0x7FFF for data in control}
        check({0, 2, 6} <= kinds, f"the conversation lacks handshakes or acknowledgements: {kinds}")
        return control + [data for data in self.taken if not data[0] & 0x80][:50]


def mutated(rng, known, feed):
    data = bytearray(rng.choice(known))
    for _ in range(rng.randrange(0, 4)):
        at = rng.randrange(len(data))
        data[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
    if rng.random() < 0.3:
        # Any control type, also those that no sender has: 5 is SHUTDOWN, 7 DROPREQ, 0x7FFF the user-defined one.
        data[0:2] = struct.pack(">H", 0x8000 | rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x7FFF)))
    if rng.random() < 0.2:
        at = rng.randrange(16, 17 + len(data)) & ~3
        data[at:at + 8] = rng.choice((b"\0\0\0\0\x7f\xff\xff\xff", b"\xff\xff\xff\xff\0\0\0\0", b"\x80\0\0\0\x7f\xff\xff\xff"))
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)):]
    if rng.random() < 0.1:
        data += rng.randbytes(rng.randrange(1, 1400))
    if rng.random() < 0.5 and len(data) >= 16:
        data[12:16] = struct.pack(">I", rng.choice((feed, 0, rng.randrange(1 << 31))))
    return bytes(data[:1500])


def srt_url(port, channel):
    return f"srt://127.0.0.1:{port}?latency=300000&pkt_size=1316&streamid=publish:{channel}?key={KEY}-{channel}"


def main():
    server = Server(channels=("c1", "c2"))
    srt = server.srt
    encoder = second = hop = poller = None
    try:
        server.start().up()
        encoder = SrtEncoder(srt_url(srt, "c1"))
        server.wait_playlist(20, segments=2)
        hop = Hop(server)
        second = SrtEncoder(srt_url(hop.port, "c2"))
        server.wait_playlist(20, channel="c2", segments=2)
        known = hop.templates()
        poller = Poller(server)
        memory, began, sent = server.program.memory(), time.monotonic(), [0]

        def attack(seed):
            rng = random.Random(seed)
            peers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOURCES)]
            for n in range(DATAGRAMS // 2):
                data = mutated(rng, known, hop.feed)
                if rng.random() < 0.2:
                    hop.far.send(data)
                else:
                    rng.choice(peers).sendto(data, ("127.0.0.1", srt))
                sent[0] += 1
                if n % 50 == 0:
                    time.sleep(0.002)
            # An unauthenticated peer never gets back more than it sent, nor for ever.
            for peer in peers:
                peer.close()

        threads = [threading.Thread(target=attack, args=(seed,), daemon=True) for seed in range(2)]
        for thread in threads:
            thread.start()
        answers = []
        while any(thread.is_alive() for thread in threads):
            asked = time.monotonic()
            check(server.get("/healthz")[0] == 200, "the health check failed")
            answers.append(time.monotonic() - asked)
            time.sleep(0.1)
        took = time.monotonic() - began
        time.sleep(2)
        check(server.alive(), "it fell over:\n" + "\n".join(server.log_text().splitlines()[-20:]))
        check(encoder.sending() and encoder.starts == 1, "the publisher was dropped")
        # A forged SHUTDOWN is among so many, and whoever stands in the way may send it.
        check(server.logged("srt.closed", "channel=c2"), "the attack reached no live socket")
        list_ = server.playlist()
        check(not list_.gaps and not list_.discontinuities, f"the feed has gaps {list_.gaps} {list_.discontinuities}")
        check(abs(time.time() - list_.dates[list_.last] / 1000) < 10, "the playlist stands still")
        dropped = server.metric("kapok_srt_dropped_packets_total", 'channel="c1"')
        check(dropped == 0, f"{dropped:.0f} packets of the feed were dropped")
        poller.stop()
        check(poller.failures == 0, f"{poller.failures} of the viewer's requests failed")
        answers.sort()
        check(answers[len(answers) // 2] < HEALTH_BOUND, f"the health check took {answers[len(answers) // 2]:.3f} s")
        grown = server.program.memory() - memory
        check(grown < GROWTH_BYTES, f"it grew by {grown >> 20} MiB")
        lines = len(server.log_text().splitlines())
        check(lines < 2_000, f"{lines} log lines: the attack can fill the disk")
        note(f"{sent[0]} datagrams in {took:.1f} s from {2 * SOURCES} sources, {len(known)} templates; health check median "
             f"{answers[len(answers) // 2] * 1000:.1f} ms, most {answers[-1] * 1000:.0f} ms; memory {grown / 2**20:+.1f} MiB; {lines} log lines")
        status, _ = server.terminate(15)
        check(status == 0, f"SIGTERM afterwards: exit {status}")
    finally:
        for one in (encoder, second):
            if one:
                one.stop()
        if hop:
            hop.stopped.set()
        server.close()
    finish()


if __name__ == "__main__":
    main()
