"""Transcoders killed thirty times at random moments, and one fed broken pictures for a minute, while households
watch: the source shows nothing of it, and rungs miss segments under their own numbers only."""
import json
import os
import random
import re
import signal
import threading
import time

from harness import KEY, PATIENCE, Encoder, Poller, Server, check, clip, finish, note, wait_for

CHANNELS = tuple(f"c{i}" for i in range(1, 7))
KILLS_EACH = 5
BROKEN = "broken"
BROKEN_SECONDS = 60
# Up to behind the age at which a worker counts as settled, so that both ways to start again are seen.
OLDEST_SECONDS = 6
LADDER = """
[[video]]
name = "144p"
codec = "avc"
height = 144
bit_rate = 150_000
preset = "ultrafast"
"""


class BrokenEncoder(Encoder):
    """Damages every packet's bytes behind its head."""

    def arguments(self):
        return ["-stream_loop", "-1", "-i", str(self.source), "-c", "copy", "-bsf:v", "noise=amount=300", "-f", "flv", self.url]


class Viewer:
    """Watches the source of a channel: every segment that its playlist lists is fetched, once and in order."""

    def __init__(self, server, channel):
        self.server, self.channel = server, channel
        self.got, self.bad = [], []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(0.4):
            list_ = self.server.playlist(channel=self.channel)
            for number, uri in list_.complete if list_ else []:
                if self.got and number <= self.got[-1]:
                    continue
                status, body = self.server.segment(uri, channel=self.channel)
                if status != 200 or not body:
                    self.bad.append((number, status))
                self.got.append(number)

    def stop(self):
        self.stopped.set()
        self.thread.join(15)
        check(not self.bad, f"{self.channel}: segments of the source could not be fetched: {self.bad[:3]}")
        check(len(self.got) > 10, f"{self.channel}: a minute of watching brought {len(self.got)} segments")
        missed = [b for a, b in zip(self.got, self.got[1:]) if b != a + 1]
        check(not missed, f"{self.channel}: the source misses segments before {missed[:3]}")


def worker(server, channel):
    status, text = server.get(f"/api/v1/channels/{channel}")
    return json.loads(text)["ladder"]["worker"] if status == 200 else {}


def pid_of(server, channel):
    started = [line for line in server.logged("worker.started") if re.search(rf"\bchannel={channel}\b", line)]
    return int(re.search(r"\bpid=(\d+)", started[-1])[1])


def kill_again_and_again(server, channel, chance, took):
    for _ in range(KILLS_EACH):
        before = worker(server, channel).get("restarts", 0)
        time.sleep(chance.uniform(0, OLDEST_SECONDS))
        # Between two lives there is nobody to kill.
        wait_for(lambda: worker(server, channel).get("state") in ("starting", "running"), 40, f"a worker of {channel}")
        os.kill(pid_of(server, channel), signal.SIGKILL)
        began = time.monotonic()
        wait_for(lambda: worker(server, channel).get("restarts", 0) > before, 40, f"another worker of {channel}")
        took.append(time.monotonic() - began)


def main():
    seed = int(time.time())
    note(f"seed {seed}")
    chance = random.Random(seed)
    server = Server()
    encoders, viewers, pollers = [], [], []
    try:
        ladder = server.folder / "small.toml"
        ladder.write_text(LADDER)
        server.config.write_text("".join(f'[[channel]]\nid = "{name}"\nkey = "{KEY}-{name}"\nladder = "{ladder}"\n\n'
                                         for name in (*CHANNELS, BROKEN)))
        server.start().up()
        encoders = [Encoder(server.publish_url(name), source=clip("other")) for name in CHANNELS]
        encoders.append(BrokenEncoder(server.publish_url(BROKEN), source=clip("other")))
        began = time.monotonic()
        for name in (*CHANNELS, BROKEN):
            server.wait_playlist(PATIENCE, segments=2, channel=name)
        viewers = [Viewer(server, name) for name in (*CHANNELS, BROKEN)]
        pollers = [Poller(server, "144p", every=0.5, channel=name) for name in CHANNELS]
        took = []
        killers = [threading.Thread(target=kill_again_and_again, args=(server, name, random.Random(chance.random()), took))
                   for name in CHANNELS]
        for thread in killers:
            thread.start()
        for thread in killers:
            thread.join()
        kills = sum(worker(server, name).get("restarts", 0) for name in CHANNELS)
        check(kills >= len(CHANNELS) * KILLS_EACH, f"{kills} workers were replaced")
        time.sleep(max(0.0, BROKEN_SECONDS - (time.monotonic() - began)))

        def whole_again(name):
            list_ = server.playlist("144p", channel=name)
            return list_ is not None and len(list_.complete) >= 2 and list_.last - list_.complete[-1][0] <= 1
        for name in CHANNELS:
            wait_for(lambda name=name: whole_again(name), 45, f"the rung of {name} to go on")
        for viewer in viewers:
            viewer.stop()
        for poller in pollers:
            poller.stop()
        gaps = 0
        for name in CHANNELS:
            source, rung = server.playlist(channel=name), server.playlist("144p", channel=name)
            check(not source.gaps and not source.discontinuities,
                  f"{name}: the source has gaps {source.gaps} and discontinuities before {source.discontinuities}")
            check(not rung.discontinuities, f"{name}: the rung has discontinuities before {rung.discontinuities}")
            check(rung.sequence == source.sequence or abs(rung.sequence - source.sequence) <= 1,
                  f"{name}: the rung begins at {rung.sequence}, the source at {source.sequence}")
            for number in source.durations.keys() & rung.durations.keys():
                check(abs(source.durations[number] - rung.durations[number]) < 0.05,
                      f"{name}: segment {number} has {source.durations[number]} s, its rung {rung.durations[number]} s")
            gaps += len(rung.gaps)
        check(gaps > 0, "thirty kills and no rung missed anything")
        source = server.playlist(channel=BROKEN)
        check(not source.gaps and not source.discontinuities, "the source of the broken feed has gaps or discontinuities")
        errors = worker(server, BROKEN).get("decode_errors", 0)
        check(errors > 100, f"{errors} errors were counted in a minute of broken pictures")
        took.sort()
        note(f"{kills} kills: another process after {took[len(took) // 2]:.2f} s (median), {took[-1]:.2f} s at most, with "
             f"back-off; {gaps} segments of rungs missed, none of a source; {errors} errors in a minute of broken pictures")
    finally:
        for encoder in encoders:
            encoder.stop()
        server.close()
    finish()


if __name__ == "__main__":
    main()
