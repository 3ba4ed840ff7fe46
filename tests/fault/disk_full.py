"""Full disks. The spool's: live goes on in what room there is, says so, and is well again by itself. The
ledger's: nothing that was acknowledged is lost, what cannot be kept is refused."""
import os
import pathlib
import subprocess
import tempfile
import time

from harness import (PATIENCE, Encoder, Household, Poller, Server, check, finish, note, skip, wait_for)

SPOOL_MB = 24
LEDGER_MB = 2


class SmallDisk:
    def __init__(self, megabytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="kapok-fault-disk-"))
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", self.path], capture_output=True)
        if done.returncode != 0:
            self.path.rmdir()
            skip(f"a small tmpfs cannot be mounted (root is needed): {done.stderr.decode().strip()}")

    def free(self):
        facts = os.statvfs(self.path)
        return facts.f_bavail * facts.f_frsize

    def fill(self, leave=0):
        """Somebody else's file takes what is left."""
        with open(self.path / "somebody-elses", "ab") as file:
            left = self.free() - leave
            while left > 0:
                try:
                    left -= file.write(b"\0" * min(left, 1 << 20))
                    file.flush()
                except OSError:
                    break
            # close() would raise for what is still buffered
            try:
                file.flush()
            except OSError:
                os.ftruncate(file.fileno(), os.fstat(file.fileno()).st_size)

    def clear(self):
        (self.path / "somebody-elses").unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False)
        self.path.rmdir()


def spool():
    disk = SmallDisk(SPOOL_MB)
    server = Server({"spool.dir": disk.path / "spool", "window.bytes": "95%"})
    encoder = poller = None
    try:
        server.start().up()
        disk.fill(leave=9 << 20)
        encoder = Encoder(server.publish_url())
        server.wait_playlist(20)
        poller = Poller(server)
        # 1. Little room: the window is short and moves, nothing is missing in it.
        wait_for(lambda: server.playlist().sequence > server.wait_playlist().complete[0][0] - 1
                 and server.logged("spool.window_shrunk"), 30, "a shrunken window")
        shrunk = server.playlist()
        wait_for(lambda: server.playlist().sequence > shrunk.sequence, 10, "the short window's progress")
        moving = server.playlist()
        check(not moving.gaps, f"gaps in a window that only had to be short: {moving.gaps}")
        for _, uri in moving.complete:
            status, body = server.segment(uri)
            gone = uri not in {name for _, name in server.playlist().complete}
            check((status == 200 and body) or gone, f"{uri} is listed, but answered {status}")

        # 2. No room at all: it says so and stays up.
        disk.fill()
        wait_for(lambda: server.logged("spool.disk_full"), PATIENCE, "the alarm")
        alarm = server.logged("spool.disk_full")[0]
        check("level=error" in alarm and "remedy=" in alarm, f"no remedy in the alarm: {alarm}")
        for _ in range(3):
            disk.fill()  # what the shrinking window gave back is gone as well
            time.sleep(0.5)
        check(server.alive() and server.get("/healthz")[0] == 200, "a full spool ended the server")
        check(encoder.sending(), "a full spool dropped the publisher")

        # 3. Room again: normal without a restart.
        last = server.playlist().last
        disk.clear()
        began = time.monotonic()
        wait_for(lambda: [number for number, _ in server.playlist().complete if number > last + 1], PATIENCE,
                 "a whole segment after there was room")
        took = time.monotonic() - began
        wait_for(lambda: server.playlist().last > last + 5, PATIENCE, "the window's progress")
        healed = server.playlist()
        late = [number for number in healed.gaps if number > last + 2]
        check(not late, f"gaps long after there was room: {late}, it came back behind {last}")
        check(healed.complete[-1][0] >= healed.last - 1, "the newest segments are gaps")
        check(server.logged("spool.room_again"), "the end of the alarm is not told")
        poller.stop()
        check(poller.failures == 0, f"{poller.failures} playlists failed")
        check(len(server.logged("feed.opened")) == 1, "the publisher had to come again")
        note(f"short of room: {len(moving.durations)} segments listed; full: {len(healed.gaps)} gaps; "
             f"first whole segment {took:.1f} s after there was room")
    finally:
        if encoder:
            encoder.stop()
        server.close()
        disk.close()


TAKEN = (204, 204)


def hours(server, reported):
    """One household's visit: what its report and its leaving were answered. What was taken is added to `reported`."""
    household = Household(server)
    if household.open() != 201:
        return None
    spans = household.watch() or []
    time.sleep(0.2)
    answer = household.beacon(spans)[0]
    if answer == 204:
        reported.append(sum(span["to_ms"] - span["from_ms"] for span in spans))
    return answer, household.leave()


def ledger():
    disk = SmallDisk(LEDGER_MB)
    server = Server({"ledger.dir": disk.path / "ledger"})
    encoder = None
    try:
        server.start().up()
        encoder = Encoder(server.publish_url())
        server.wait_playlist(20, segments=2)
        reported = []
        check(hours(server, reported) == TAKEN, "a healthy ledger refuses")
        disk.fill()
        # 200 bytes still fit into a page that is there, so a few visits are needed.
        refused = None
        began = time.monotonic()
        taken = 0
        while refused is None and time.monotonic() - began < 20:
            answer = hours(server, reported)
            if answer is None or 503 in answer:
                refused = answer
            elif answer == TAKEN:
                taken += 1
        check(server.logged("ledger.write_failed"), "a full ledger disk is not told")
        check(refused is not None, f"{taken} visits were acknowledged while nothing could be written down")
        check(server.alive() and server.playlist() is not None, "a full ledger stopped the picture")
        segments = server.playlist().last
        wait_for(lambda: server.playlist().last > segments + 1, PATIENCE, "live beside a full ledger")
        disk.clear()
        began = time.monotonic()
        wait_for(lambda: hours(server, reported) == TAKEN, PATIENCE, "reports being taken again")
        took = time.monotonic() - began
        wait_for(lambda: server.logged("ledger.write_recovered"), PATIENCE, "the recovery's event")
        # The last visits' leaves are written with the next tick.
        wait_for(lambda: (server.claimed_ms() or 0) >= sum(reported), 30,
                 f"{sum(reported)} ms in the log, which is what was taken ({server.claimed_ms()} ms are)")
        encoder.stop()
        status, _ = server.terminate(15)
        check(status == 0, f"SIGTERM: exit {status}")
        check(not server.logged("metering.leaves_lost"), "leaves were lost")
        status, words = server.verify()
        check(status == 0, f"kapok-verify: {words}")
        note(f"ledger full: {taken} more visits taken, then {refused}; {sum(reported)} ms taken and written; taken again {took:.1f} s after there was room")
    finally:
        if encoder:
            encoder.stop()
        server.close()
        disk.close()


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("mounting a small tmpfs needs root")
    spool()
    ledger()
    finish()
