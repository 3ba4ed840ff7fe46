#!/usr/bin/env python3
"""Compiles every header of server/ and transcoder/ alone, without the build's precompiled header.

A header is reachable only through the include roots of the folders, so this also shows that headers
keep to their layer. What many headers include is parsed once and not with each of them: such a header
is precompiled, on top of another one that it includes itself, and so becomes the beginning of those
that include it. That hides nothing: a header gets from there only what it includes, and whether that
stands alone is a check of its own. Usage: headers.py SOURCE_DIR BUILD_DIR
"""
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
flags = ["clang++-19", "-std=c++23", "-Wall", "-Wextra", "-Werror", "-DBOOST_ASIO_SEPARATE_COMPILATION",
         "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_NO_TS_EXECUTORS", "-DBOOST_ASIO_HAS_CO_AWAIT",
         "-DBOOST_BEAST_USE_STD_STRING_VIEW", '-DKAPOK_VERSION="0"']
# GStreamer's headers lie in folders of their own.
flags += subprocess.run(["pkg-config", "--cflags", "gstreamer-1.0"], capture_output=True, text=True).stdout.split()
flags += [f"-I{path}" for path in sorted((build / "layers").iterdir())] if (build / "layers").is_dir() else []
cache = build / "header-lint"
cache.mkdir(parents=True, exist_ok=True)
include = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
# A header that fewer others begin with is not worth writing down.
LEAST_CHILDREN = 4
# How much longer these take to parse than most of what is included from outside.
HEAVY = {"boost/": 20, "fmt/": 20, "gst/": 20, "chrono": 10, "functional": 5, "filesystem": 5}


@functools.lru_cache(maxsize=None)
def includes(name):
    path = root / name
    return tuple(include.findall(path.read_text())) if path.exists() else ()


@functools.lru_cache(maxsize=None)
def closure(name):
    seen, todo = set(), [name]
    while todo:
        for target in includes(todo.pop()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return frozenset(seen)


@functools.lru_cache(maxsize=None)
def weight(name):
    return 1 + sum(next((heavy for start, heavy in HEAVY.items() if part.startswith(start)), 1) for part in closure(name))


def digest(name):
    whole = hashlib.sha256(b"5")
    for part in sorted({name, *closure(name)}):
        path = root / part
        whole.update(path.read_bytes() if path.exists() else part.encode())
    return whole.hexdigest()


def heaviest(names):
    return max(names, key=lambda name: (weight(name), name), default=None)


def beginnings(names):
    """{header: the one that it begins with, or None}, and those that enough begin with: the heaviest of what it includes."""
    candidates = set(headers)
    while True:
        found = {name: heaviest(closure(name) & candidates - {name}) for name in candidates.union(names)}
        begun = list(found.values())
        enough = {name for name in candidates if begun.count(name) >= LEAST_CHILDREN}
        if enough == candidates:
            break
        candidates = enough
    # At most two on top of one another: clang 19 crashes on some longer chains.
    lowest = {name for name in candidates if not found[name]}
    return found | {name: heaviest(closure(name) & lowest - {name}) for name in candidates}, candidates


def compiled(name, begin, output):
    """What the compiler says of the header alone, on top of what it begins with; None: nothing."""
    how = ["-x", "c++-header", "-fpch-instantiate-templates", "-o", str(output)] if output else ["-x", "c++", "-fsyntax-only"]
    on_top = ["-include-pch", str(begin)] if begin else []
    # Elsewhere than in the sources, which would be an include root of their own.
    done = subprocess.run(flags + on_top + how + ["-"], input=f'#include "{name}"\n', capture_output=True, text=True, cwd=cache)
    return None if done.returncode == 0 else f"{name} does not compile alone:\n{done.stderr[:2000]}"


def check(name):
    begin = begins[name]
    if begin and checks[begin].result():
        begin = None
    fault = compiled(name, begin and precompiled[begin], precompiled.get(name))
    if fault is None:
        stamp_of(name).write_text(digest(name))
    return fault


def stamp_of(name):
    return cache / hashlib.sha256(name.encode()).hexdigest()


headers = sorted(p.relative_to(root).as_posix() for base in ("server", "transcoder") for p in (root / base).rglob("*.hpp"))
changed = [name for name in headers if not stamp_of(name).exists() or stamp_of(name).read_text() != digest(name)]
begins, beginning = beginnings(changed)
checks = {}
with tempfile.TemporaryDirectory(dir=build) as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    precompiled = {name: pathlib.Path(folder, f"{i}.pch") for i, name in enumerate(beginning)}
    # What others begin with comes first, and behind what it begins with itself.
    for name in sorted(begins, key=lambda name: (name not in beginning, len(closure(name)), name)):
        checks[name] = pool.submit(check, name)
    faults = [fault for fault in (done.result() for done in checks.values()) if fault]
for fault in faults:
    print(fault)
print(f"{len(headers)} headers, {len(faults)} faults")
sys.exit(1 if faults or not headers else 0)
