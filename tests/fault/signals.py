"""SIGTERM under load ends in good order within its patience; SIGHUP takes a new channel and refuses a broken
file, and drops nobody."""
import http.client
import json
import threading
import time

from harness import CHANNEL, PATIENCE, Encoder, Household, Poller, Server, check, finish, note, wait_for

DRAIN_S = 5
VIEWERS = 8


class Downloads:
    """Viewers who fetch segments one after another on a kept connection; a cut answer is counted."""

    def __init__(self, server, uris):
        self.server, self.uris = server, uris
        self.whole = self.cut = self.refused = 0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(VIEWERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http, timeout=10)
        while not self.stopped.is_set():
            for uri in self.uris:
                if self.stopped.is_set():
                    return
                what = "refused"
                try:
                    connection.request("GET", f"/live/{CHANNEL}/source/{uri}")
                    answer = connection.getresponse()
                    size = int(answer.headers["Content-Length"])
                    what = "cut"
                    body = b""
                    # In small bites, so that answers are on their way when the signal comes.
                    while len(body) < size:
                        bite = answer.read(min(64 * 1024, size - len(body)))
                        if not bite:
                            break
                        body += bite
                        time.sleep(0.01)
                    what = "whole" if len(body) == size else "cut"
                except (OSError, http.client.HTTPException):
                    connection.close()
                    time.sleep(0.02)
                with self.lock:
                    setattr(self, what, getattr(self, what) + 1)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(15)


def reloads(server, encoder):
    poller = Poller(server)
    feed_pid, opened = encoder.process.pid, len(server.logged("feed.opened"))
    server.write_config((CHANNEL, "c2"))
    server.reload()
    wait_for(lambda: server.get("/api/v1/channels/c2")[0] == 200, PATIENCE, "the new channel")
    second = Encoder(server.publish_url("c2"))
    server.wait_playlist(20, channel="c2")
    second.stop()

    lines = server.config.read_text().count("\n")
    server.write_config((CHANNEL, "c2"), extra='[[channel]]\nid = "c3"\nkye = "oops"\n')
    server.reload()
    wait_for(lambda: server.logged("server.reload_failed"), PATIENCE, "the refusal of a broken file")
    told = server.logged("server.reload_failed")[-1]
    check(f"kapok.toml:{lines + 3}:1" in told, f"line and column are not told: {told}")
    check("oops" not in told, "the log repeats what may be a key")
    server.config.write_text("[[channel]\n")
    server.reload()
    wait_for(lambda: len(server.logged("server.reload_failed")) >= 2, PATIENCE, "the refusal of what is no TOML")
    check("kapok.toml:1:" in server.logged("server.reload_failed")[-1], "line and column of a syntax error are not told")
    check(server.get("/api/v1/channels/c2")[0] == 200, "a broken file took a channel away")

    server.write_config((CHANNEL, "c2"), extra="")
    text = server.config.read_text()
    server.config.write_text('session.ttl = "1h"\n' + text)
    server.reload()
    wait_for(lambda: server.logged("server.restart_needed", "setting=session.ttl"), PATIENCE, "what needs a restart")
    check(not server.logged("server.restart_needed", "setting=http.port"), "http.port did not change")

    server.write_config((CHANNEL, "c2"), extra='[[channel]]\nid = "c4"\n[[channel.feed]]\nname = "backup"\npriority = 3\n'
                                               'key = "fault-key-of-a-backup"\n')
    server.reload()
    wait_for(lambda: server.get("/api/v1/channels/c4")[0] == 200, PATIENCE, "a channel with feeds")
    feeds = json.loads(server.get("/api/v1/channels/c4/feeds", headers=server.admin())[1])
    feeds = feeds if isinstance(feeds, list) else feeds["feeds"]
    check([feed["priority"] for feed in feeds] == [3], f"priorities are not the configuration's: {feeds}")

    last = poller.last
    wait_for(lambda: poller.last > last, PATIENCE, "the window's progress after all these reloads")
    poller.stop()
    check(poller.failures == 0, f"{poller.failures} requests failed during reloads")
    check(encoder.sending() and encoder.process.pid == feed_pid, "the publisher was dropped by a reload")
    check(len(server.logged("feed.opened", "channel=c1")) == opened, "the publisher had to come again")


def ends_well(server, encoder):
    uris = [uri for _, uri in server.playlist().complete]
    household = Household(server)
    check(household.open() == 201, "no session")
    time.sleep(0.5)
    check(household.beacon(household.watch() or [])[0] == 204, "no beacon")
    downloads = Downloads(server, uris)
    time.sleep(1)
    credited = server.claimed_ms()
    status, took = server.terminate(DRAIN_S + 10)
    encoder.stop()
    downloads.stop()
    check(status == 0, f"SIGTERM under load: exit {status}")
    check(took < DRAIN_S + 3, f"SIGTERM took {took:.1f} s of {DRAIN_S} s patience")
    check(downloads.whole > 0, "nobody was downloading: the test proves nothing")
    check(downloads.cut == 0, f"{downloads.cut} answers were cut short")
    check("event=server.stopped" in server.log_text().splitlines()[-1], "server.stopped is not the last line")
    check(not server.logged("metering.leaves_lost"), "leaves were lost")
    status, words = server.verify()
    check(status == 0, f"kapok-verify: {words}")
    # The session was still open: draining closed it and wrote its hours down.
    server.start().up()
    after = server.claimed_ms()
    check(after is not None and after > (credited or 0), f"the open session's hours are not in the log: {credited}, {after}")
    status, _ = server.terminate(10)
    check(status == 0, f"SIGTERM when idle: exit {status}")
    note(f"SIGTERM to exit {took:.2f} s, {downloads.whole} downloads whole, {downloads.refused} refused, {after} ms in the log")


def main():
    server = Server({"limits.drain": f"{DRAIN_S}s"})
    encoder = None
    try:
        server.start().up()
        encoder = Encoder(server.publish_url())
        server.wait_playlist(20, segments=3)
        reloads(server, encoder)
        ends_well(server, encoder)
    finally:
        if encoder:
            encoder.stop()
        server.close()
    finish()


if __name__ == "__main__":
    main()
