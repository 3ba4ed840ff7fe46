"""A publisher that breaks off and comes back ten times: one timeline, rising numbers, and a discontinuity only
where something really changed."""
import time

from harness import PATIENCE, Encoder, Poller, Server, check, clip, finish, note, wait_for

BACK = 10


def main():
    server = Server()
    pollers = []
    try:
        server.start().up()
        encoder = Encoder(server.publish_url(), returns=False)
        server.wait_playlist(20, segments=2)
        pollers = [Poller(server, "source"), Poller(server, "audio-1")]
        for round_ in range(BACK):
            encoder.stop()
            before = server.playlist()
            time.sleep(0.3 if round_ % 2 else 1.1)
            encoder = Encoder(server.publish_url(), returns=False)
            wait_for(lambda: server.playlist().last >= before.last + 2, PATIENCE, f"segments after reconnect {round_}")
        same = server.playlist()
        check(not same.discontinuities, f"the same encoder came back, and discontinuities stand before {same.discontinuities}")
        check(server.metric("kapok_channel_eras_total") == 1, "the same encoder came back as another era")

        encoder.stop()
        encoder = Encoder(server.publish_url(), source=clip("other"), returns=False)
        wait_for(lambda: server.playlist().last >= same.last + 3 and server.playlist().discontinuities, PATIENCE + 5,
                 "segments of another picture")
        for rendition in ("source", "audio-1"):
            other = server.playlist(rendition)
            check(len(other.discontinuities) == 1,
                  f"{rendition}: one change, {len(other.discontinuities)} discontinuities")
            check(other.target >= max(round(length) for length in other.durations.values()),
                  f"{rendition}: a segment is longer than TARGETDURATION {other.target}")
        manifest = server.get("/live/c1/manifest.mpd")[1].decode()
        check(server.metric("kapok_channel_eras_total") == 2, "one change is one more era")
        encoder.stop()
        for poller in pollers:
            poller.stop()
            check(poller.failures == 0, f"{poller.rendition}: {poller.failures} requests failed")
        note(f"{BACK} reconnects: 0 discontinuities, {len(same.gaps)} gaps in {len(same.durations)} segments; another "
             f"picture: 1; {manifest.count('<Period')} Periods")
    finally:
        server.close()
    finish()


if __name__ == "__main__":
    main()
