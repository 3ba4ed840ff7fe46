"""What the benchmarks share: start a program, measure its CPU and memory, find free ports, print pairs."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN = pathlib.Path(os.environ.get("KAPOK_BIN", ROOT / "build/release/bin"))
TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    """Below the range that the kernel takes client ports from: a client that calls a server that is down for a moment
    could otherwise be given the server's own port, and connect to itself."""
    while True:
        port = random.randint(20_000, 32_000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def children_of(pid):
    found = [pid]
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found += children_of(int(entry.name))
    return found


class Program:
    """A process under test; cpu() and memory() cover its children."""

    def __init__(self, argv, log=None, **kwargs):
        self.log = open(log, "wb") if log else subprocess.DEVNULL
        self.process = subprocess.Popen([str(a) for a in argv], stdout=self.log, stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL, **kwargs)

    def cpu(self):
        """CPU seconds, user and system."""
        total = 0
        for pid in children_of(self.process.pid):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self):
        """Anonymous resident bytes: what the program itself holds, without the page cache."""
        total = 0
        for pid in children_of(self.process.pid):
            try:
                for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1]) * 1024
            except OSError:
                continue
        return total

    def alive(self):
        return self.process.poll() is None

    def stop(self, timeout=15):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log != subprocess.DEVNULL:
            self.log.close()  # it may lie on a file system that is about to go


def machine_busy():
    """(busy, total) jiffies of the whole machine."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def wait_for(check, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.1)
    raise SystemExit(f"error: {what} did not happen within {seconds} s")


def fetch(url, timeout=5, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as answer:
        return answer.read()


def answers(url):
    try:
        fetch(url)
        return True
    except OSError:
        return False


def temporary_folder(on_tmpfs=True):
    base = "/dev/shm" if on_tmpfs and os.access("/dev/shm", os.W_OK) else None
    path = pathlib.Path(tempfile.mkdtemp(prefix="kapok-bench-", dir=base))
    return path


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def clip(seconds=10):
    """A 3840x2160p50 clip at 25 Mb/s, from the demo's."""
    cache = pathlib.Path(os.environ.get("KAPOK_CACHE", ROOT / "build/cache"))
    whole = cache / "demo-3840x2160p50-20s-v1.flv"
    if not whole.exists():
        subprocess.run([ROOT / "scripts/make-demo-clip", whole], check=True)
    short = cache / f"bench-4k-{seconds}s.flv"
    if not short.exists():
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", whole, "-t", str(seconds), "-c", "copy", short], check=True)
    return short


def kapok(folder, channels, settings=None, log=None):
    """Starts kapok-server with channels c1..cN (key "bench-key-1"); returns (Program, ports)."""
    ports = {"http": free_port(), "rtmp": free_port(), "srt": free_port()}
    config = folder / "kapok.toml"
    config.write_text("".join(f'[[channel]]\nid = "c{n}"\nkey = "bench-key-1"\n\n' for n in range(1, channels + 1)))
    config.chmod(0o600)
    options = {"http.port": ports["http"], "rtmp.port": ports["rtmp"], "srt.port": ports["srt"], "https.port": "off", "rtmps.port": "off",
               "data.dir": folder / "data", "log.level": "warn", **(settings or {})}
    argv = [BIN / "kapok-server", "--config", config]
    for key, value in options.items():
        argv += ["--set", f"{key}={value}"]
    program = Program(argv, log=log or folder / "kapok.log")
    def up():
        if not program.alive():
            raise SystemExit((folder / "kapok.log").read_text()[-3000:])
        return answers(f"http://127.0.0.1:{ports['http']}/healthz")

    wait_for(up, 20, "kapok-server's start")
    return program, ports
