"""What the fault tests share: a kapok-server that can be killed and started again on the same data, encoders
that come back, viewers that never stop asking, and checks that say what was wrong."""
import datetime
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/bench/lib"))
from bench import BIN, Program, free_port, remove, temporary_folder, wait_for  # noqa: E402

CHANNEL = "c1"
KEY = "fault-key-1"
# Every name that a playlist lists is fetched; the suite runs beside others, so bounds are wide.
PATIENCE = 15

FAILED = []


def check(condition, message):
    """A failure is told at once and remembered, so that one run shows all of them."""
    if not condition:
        FAILED.append(message)
        print(f"FAILED: {message}", flush=True)
    return bool(condition)


def note(message):
    print(f"  {message}", flush=True)


def finish():
    if FAILED:
        print(f"{len(FAILED)} checks failed", flush=True)
        raise SystemExit(1)
    print("ok", flush=True)


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    raise SystemExit(77)


def clip(name="busy"):
    """H.264 with sound, GOP 1 s, made once: "busy" 640x360 at about 4 Mb/s, "other" 320x180 with a GOP of 2 s."""
    cache = pathlib.Path(os.environ.get("KAPOK_CACHE", ROOT / "build/cache"))
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"fault-{name}-v1.flv"
    if path.exists():
        return path
    size, rate, gop, filters = {"busy": ("640x360", "4M", 25, ",noise=alls=40:allf=t"),
                                "other": ("320x180", "400k", 50, "")}[name]
    partial = cache / f"fault-{name}-{os.getpid()}.flv"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=60{filters}",
                    "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:d=60", "-pix_fmt", "yuv420p",
                    "-c:v", "libx264", "-preset", "ultrafast", "-b:v", rate, "-maxrate", rate, "-bufsize", rate,
                    "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0", "-c:a", "aac", "-b:a", "96k",
                    partial], check=True)
    partial.rename(path)
    return path


class Server:
    """kapok-server on its own folder and ports; kill() and start() keep both."""

    def __init__(self, settings=None, channels=(CHANNEL,), environment=None):
        self.folder = temporary_folder()
        self.http, self.rtmp, self.srt = free_port(), free_port(), free_port()
        self.config = self.folder / "kapok.toml"
        self.log = self.folder / "kapok.log"
        self.settings = {"http.port": self.http, "rtmp.port": self.rtmp, "srt.port": self.srt, "https.port": "off", "rtmps.port": "off",
                         "data.dir": self.folder / "data", "segment.target": "1s", "window.time": "2m",
                         "limits.drain": "5s", "log.level": "info", **(settings or {})}
        self.environment = environment
        self.program = None
        self.write_config(channels)

    def write_config(self, channels, extra=""):
        text = "".join(f'[[channel]]\nid = "{name}"\nkey = "{KEY}-{name}"\n\n' for name in channels)
        text += '[[enterprise]]\nid = "e1"\nname = "Fault Television"\n\n'
        text += '[[programme]]\nid = "p1"\nchannel = "c1"\nenterprise = "e1"\ntitle = "Fault"\n\n'
        self.config.write_text(text + extra)
        self.config.chmod(0o600)

    def start(self):
        argv = [BIN / "kapok-server", "--config", self.config]
        for key, value in self.settings.items():
            argv += ["--set", f"{key}={value}"]
        before = self.log.read_bytes() if self.log.exists() else b""
        self.program = Program(argv, log=self.log, env=self.environment)
        self.log_before = getattr(self, "log_before", b"") + before
        return self

    def up(self):
        def answers():
            if not self.alive():
                raise SystemExit("the server ended at its start:\n" + self.log_text()[-3000:])
            return self.get("/healthz")[0] == 200
        wait_for(answers, 20, "the server's start")
        return self

    def alive(self):
        return self.program.process.poll() is None

    @property
    def pid(self):
        return self.program.process.pid

    def kill(self):
        self.program.process.kill()
        self.program.process.wait()

    def terminate(self, patience):
        """Exit status and seconds it took; None: it had to be killed."""
        began = time.monotonic()
        self.program.process.send_signal(signal.SIGTERM)
        try:
            status = self.program.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            status = None
        return status, time.monotonic() - began

    def reload(self):
        self.program.process.send_signal(signal.SIGHUP)

    def log_text(self):
        return (getattr(self, "log_before", b"") + self.log.read_bytes()).decode(errors="replace")

    def logged(self, event, contains=""):
        return [line for line in self.log_text().splitlines() if f"event={event}" in line and contains in line]

    def get(self, path, timeout=10, method="GET", body=None, headers=None):
        """(status, bytes); status 0 when nobody answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def publish_url(self, channel=CHANNEL):
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{channel}?key={KEY}-{channel}"

    def playlist(self, rendition="source", channel=CHANNEL, base=""):
        status, text = self.get(f"{base}/live/{channel}/{rendition}/media.m3u8")
        return Playlist(text.decode()) if status == 200 else None

    def wait_playlist(self, seconds=PATIENCE, segments=1, channel=CHANNEL):
        found = []

        def listed():
            found[:] = [self.playlist(channel=channel)]
            return found[0] is not None and len(found[0].complete) >= segments
        wait_for(listed, seconds, f"a playlist of {channel} with {segments} segments")
        return found[0]

    def segment(self, uri, rendition="source", channel=CHANNEL, base=""):
        return self.get(f"{base}/live/{channel}/{rendition}/{uri}")

    def metric(self, name, having=""):
        total, text = 0.0, self.get("/metrics")[1].decode()
        for line in text.splitlines():
            if line.split("{")[0].split(" ")[0] == name and having in line:
                total += float(line.rsplit(" ", 1)[1])
        return total

    def admin(self):
        token = (pathlib.Path(self.settings["data.dir"]) / "secrets/admin-token").read_text().strip()
        return {"Authorization": f"Bearer {token}"}

    def claimed_ms(self):
        """What sessions reported, as the log has it: also what earns nothing for being short."""
        status, text = self.get("/api/v1/reports/hours", headers=self.admin(), timeout=20)
        if status != 200:
            return None
        return json.loads(text)["viewing_hours"]["total"]["claimed_ms"]

    def ledger(self):
        return pathlib.Path(self.settings.get("ledger.dir", pathlib.Path(self.settings["data.dir"]) / "ledger"))

    def verify(self, checkpoint=None):
        """kapok-verify's exit status and words, on the log as it lies there."""
        key = re.search(r"event=ledger.opened .*verifier=(\S+)", self.log_text())[1]
        argv = [BIN / "kapok-verify", self.ledger(), "--key", key]
        if checkpoint:
            argv += ["--checkpoint", checkpoint]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def close(self):
        if self.program and self.alive():
            self.kill()
        if FAILED or sys.exc_info()[0] not in (None, SystemExit):
            note(f"the log: {self.log}")
            print(self.log_text()[-4000:])
        else:
            remove(self.folder)


class Playlist:
    """The parts of a media playlist that the tests look at."""

    def __init__(self, text):
        self.text = text
        self.sequence = int(re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)[1])
        self.target = int(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)[1])
        self.complete = []  # (number, uri), without gaps
        self.gaps = []
        self.discontinuities = []  # numbers of the segments that they stand before
        self.durations = {}
        self.dates = {}  # channel time of a segment's start, milliseconds since 1970
        number, gap, duration = self.sequence, False, 0.0
        for line in text.splitlines():
            if line == "#EXT-X-GAP":
                gap = True
            elif line == "#EXT-X-DISCONTINUITY":
                self.discontinuities.append(number)
            elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
                self.dates[number] = parse_utc_ms(line[25:])
            elif line.startswith("#EXTINF:"):
                duration = float(line[8:].split(",")[0])
            elif line and not line.startswith("#"):
                self.durations[number] = duration
                if gap:
                    self.gaps.append(number)
                else:
                    self.complete.append((number, line))
                number, gap = number + 1, False
        self.next = number

    @property
    def last(self):
        return self.next - 1


class Encoder:
    """ffmpeg in real time; comes back by itself, as encoders do, until stop()."""

    def __init__(self, url, source=None, returns=True):
        self.url, self.source, self.returns = url, source or clip(), returns
        self.stopped = threading.Event()
        self.process = None
        self.starts = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def arguments(self):
        return ["-i", str(self.source), "-c", "copy", "-f", "flv", self.url]

    def run(self):
        while not self.stopped.is_set():
            self.starts += 1
            self.process = subprocess.Popen(
                ["ffmpeg", "-v", "error", "-re", *self.arguments()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while self.process.poll() is None and not self.stopped.wait(0.1):
                pass
            if not self.returns:
                break
            self.stopped.wait(0.2)
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def sending(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        self.stopped.set()
        self.thread.join(10)


class Poller:
    """Reads a playlist several times a second and holds it to the rules that no reload may break."""

    def __init__(self, server, rendition="source", every=0.1, channel=CHANNEL):
        self.server, self.rendition, self.every, self.channel = server, rendition, every, channel
        self.sequence = self.last = 0
        self.target = 0
        self.answers = self.failures = 0
        self.went_back = []
        self.answered_at = 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped.wait(self.every):
            list_ = self.server.playlist(self.rendition, self.channel)
            if list_ is None:
                self.failures += 1
                continue
            self.answered_at = time.monotonic()
            self.answers += 1
            # [RFC 8216bis 6.2.2] neither the media sequence nor what was listed may go back.
            if list_.sequence < self.sequence or list_.last < self.last:
                self.went_back.append((self.sequence, self.last, list_.sequence, list_.last))
            self.sequence, self.last = max(self.sequence, list_.sequence), max(self.last, list_.last)

    def stop(self):
        self.stopped.set()
        self.thread.join(15)
        check(self.answers > 0, f"{self.rendition}: the poller got no answer")
        check(not self.went_back, f"{self.rendition}: numbers went back: {self.went_back[:3]}")


class Copies:
    """Segments as they were first served: what is listed must be the same bytes ever after."""

    def __init__(self, server, renditions=("source", "audio-1")):
        self.server, self.renditions = server, renditions
        self.known = {}

    def take(self):
        """Fetches what is new in the playlists."""
        for rendition in self.renditions:
            list_ = self.server.playlist(rendition)
            for number, uri in list_.complete if list_ else []:
                if (rendition, uri) in self.known:
                    continue
                status, body = self.server.segment(uri, rendition)
                check(status == 200 and body, f"{rendition}/{uri} is listed, but answered {status}")
                self.known[rendition, uri] = hashlib.sha256(body).hexdigest()

    def compare(self, when):
        wrong = 0
        for (rendition, uri), digest in self.known.items():
            status, body = self.server.segment(uri, rendition)
            same = status == 200 and hashlib.sha256(body).hexdigest() == digest
            wrong += 0 if same else 1
            if wrong <= 3:
                check(same, f"{when}: {rendition}/{uri} answered {status}, {len(body)} bytes, not what it was")
        return len(self.known)


class Household:
    """A session that watches what is complete now, reports it, and leaves: one leaf in the ledger."""

    def __init__(self, server):
        self.server = server

    def open(self):
        status, text = self.server.get("/api/v1/sessions", method="POST", body=json.dumps({"channel": CHANNEL}))
        if status != 201:
            return status
        offer = json.loads(text)
        self.session, self.token, self.base = offer["session"], offer["token"], offer["base"].rstrip("/")
        self.seq = 0
        self.watched = set()
        return status

    def watch(self):
        """Fetches the complete segments that it has not seen yet; milliseconds (from, to) of them."""
        list_ = self.server.playlist(base=self.base)
        if list_ is None:
            return None
        spans = []
        for number, uri in list_.complete[-3:]:
            if number in self.watched or number not in list_.dates:
                continue
            if self.server.segment(uri, base=self.base)[0] == 200:
                self.watched.add(number)
                start = list_.dates[number]
                spans.append({"from_ms": start, "to_ms": start + int(list_.durations[number] * 1000)})
        return spans

    def beacon(self, spans, state="playing"):
        self.seq += 1
        body = {"token": self.token, "seq": self.seq, "sent_ms": int(time.time() * 1000), "state": state, "rate": 1,
                "played": spans, "wall_ms": 1000, "visible": True}
        return self.server.get(f"/api/v1/sessions/{self.session}/beacon", method="POST", body=json.dumps(body))

    def leave(self):
        return self.server.get(f"/api/v1/sessions/{self.session}", method="DELETE",
                               headers={"Authorization": f"Bearer {self.token}"})[0]


def parse_utc_ms(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp() * 1000)
