"""kill -9, ten times, while an encoder publishes and viewers ask: the window, its numbers, its bytes and the
hours that were acknowledged are there again."""
import time

from harness import (CHANNEL, Copies, Encoder, Household, Poller, Server, check, finish, note, wait_for)

ROUNDS = 10
# From the start of the new process to the first playlist; a second here is a second of black at a viewer's.
FIRST_ANSWER_S = 5


def hours_of(household, server):
    """Watches what there is and leaves, so that a leaf is written."""
    if household.open() != 201:
        return
    spans = household.watch() or []
    time.sleep(0.3)
    check(household.beacon(spans)[0] == 204, "a beacon of a healthy server is not taken")
    check(household.leave() == 204, "a session cannot be closed")


def main():
    server = Server()
    encoder = None
    try:
        server.start().up()
        encoder = Encoder(server.publish_url())
        server.wait_playlist(20, segments=2)
        pollers = [Poller(server, "source"), Poller(server, "audio-1")]
        copies = Copies(server)
        first_answers, acknowledged, checkpoint, size = [], 0, server.folder / "checkpoint", 0
        for round_ in range(ROUNDS):
            before = server.playlist()
            wait_for(lambda: (server.playlist() or before).last >= before.last + 2, 15, "the window's progress")
            hours_of(Household(server), server)
            if round_ % 3 == 0:
                acknowledged = server.claimed_ms() or 0
                checkpoint.write_bytes(server.get("/log/checkpoint")[1])
                size = int(checkpoint.read_text().splitlines()[1])
            copies.take()
            before = server.playlist()
            server.kill()
            began = time.monotonic()
            server.start()
            after = None
            while after is None and time.monotonic() - began < 20:
                after = server.playlist()
                time.sleep(0.005)
            took = time.monotonic() - began
            first_answers.append(took)
            if not check(after is not None, f"round {round_}: no playlist within 20 s of the start"):
                break
            check(took < FIRST_ANSWER_S, f"round {round_}: {took:.1f} s to the first playlist")
            check(after.sequence >= before.sequence, f"round {round_}: media sequence went back")
            check(after.last >= before.complete[-1][0], f"round {round_}: a complete segment is gone from the playlist")
            listed = {uri for _, uri in after.complete}
            check(all(uri in listed for _, uri in before.complete),
                  f"round {round_}: segments that were listed are not listed any more")
            copies.compare(f"round {round_}")
            if round_ % 3 == 0:
                viewed = server.claimed_ms() or 0
                check(viewed >= acknowledged, f"round {round_}: {acknowledged} ms acknowledged, {viewed} ms left")
                now = int(server.get("/log/checkpoint")[1].split(b"\n")[1])
                check(now >= size, f"round {round_}: the log shrank from {size} to {now} leaves")
        wait_for(lambda: server.playlist().last >= after.last + 2, 20, "the window's progress after the last kill")
        final = server.playlist()
        check(len(final.discontinuities) <= ROUNDS, f"{len(final.discontinuities)} discontinuities of {ROUNDS} restarts")
        check(len(final.discontinuities) >= 1, "no discontinuity: was the server killed at all?")
        compared = copies.compare("at the end")
        for poller in pollers:
            poller.stop()
        check(acknowledged > 0, "nobody reported anything: the test proves nothing about hours")
        encoder.stop()
        status, took = server.terminate(15)
        check(status == 0, f"SIGTERM at the end: exit {status}")
        status, words = server.verify(checkpoint)
        check(status == 0, f"kapok-verify: {words}")
        note(f"first 200 after a start: median {sorted(first_answers)[len(first_answers) // 2] * 1000:.0f} ms, "
             f"worst {max(first_answers) * 1000:.0f} ms")
        note(f"{compared} segments compared, {encoder.starts} encoder starts, "
             f"{len(final.discontinuities)} discontinuities, {len(final.gaps)} gaps, {acknowledged} ms acknowledged")
    finally:
        if encoder:
            encoder.stop()
        server.close()
    finish()


if __name__ == "__main__":
    main()
