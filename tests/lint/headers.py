#!/usr/bin/env python3
"""Compiles every header of server/ and transcoder/ alone, without the build's precompiled header.

A header is reachable only through the include roots of the folders, so this also shows that headers
keep to their layer. Headers that get Asio through server/base/task.hpp get it precompiled: the same
text, parsed once instead of a hundred times. Usage: headers.py SOURCE_DIR BUILD_DIR
"""
import concurrent.futures
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import sys

root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
flags = ["clang++-19", "-std=c++23", "-Wall", "-Wextra", "-Werror", "-DBOOST_ASIO_SEPARATE_COMPILATION",
         "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_NO_TS_EXECUTORS", "-DBOOST_ASIO_HAS_CO_AWAIT",
         "-DBOOST_BEAST_USE_STD_STRING_VIEW", '-DKAPOK_VERSION="0"']
# GStreamer's headers lie in folders of their own.
flags += subprocess.run(["pkg-config", "--cflags", "gstreamer-1.0"], capture_output=True, text=True).stdout.split()
roots = [f"-I{path}" for path in sorted((build / "layers").iterdir())] if (build / "layers").is_dir() else []
cache = build / "header-lint"
cache.mkdir(parents=True, exist_ok=True)
include = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
# Each set of base headers that many headers include, the largest first.
COMMON = [("asio", ("server/base/result.hpp", "server/base/clock.hpp", "server/base/task.hpp")),
          ("task", ("server/base/task.hpp",)),
          ("chrono", ("server/base/result.hpp", "server/base/clock.hpp")),
          ("fmt", ("server/base/result.hpp",))]


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


def precompiled(name, bases):
    """What these base headers include from outside, precompiled."""
    outside = [target for base in bases for target in includes(base) if not target.startswith("server/")]
    text = "".join(f"#include <{target}>\n" for target in dict.fromkeys(outside))
    header, pch = cache / f"{name}.hpp", cache / f"{name}.pch"
    if not pch.exists() or header.read_text() != text:
        header.write_text(text)
        subprocess.run(flags + ["-x", "c++-header", str(header), "-o", str(pch)], check=True)
    return pch


def digest(name):
    whole = hashlib.sha256(b"4")
    for part in sorted({name, *closure(name)}):
        path = root / part
        whole.update(path.read_bytes() if path.exists() else part.encode())
    return whole.hexdigest()


def check(name):
    stamp = cache / hashlib.sha256(name.encode()).hexdigest()
    state = digest(name)
    if stamp.exists() and stamp.read_text() == state:
        return None
    reached = closure(name) | {name}
    fitting = [pch for pch, bases in common if reached.issuperset(bases)][:1]
    done = subprocess.run(flags + [flag for pch in fitting for flag in ("-include-pch", str(pch))] + roots + ["-fsyntax-only", "-x", "c++", "-"],
                          input=f'#include "{name}"\n', capture_output=True, text=True)
    if done.returncode == 0:
        stamp.write_text(state)
        return None
    return f"{name} does not compile alone:\n{done.stderr[:2000]}"


headers = sorted(p.relative_to(root).as_posix() for base in ("server", "transcoder") for p in (root / base).rglob("*.hpp"))
common = [(precompiled(name, bases), bases) for name, bases in COMMON]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    faults = [fault for fault in pool.map(check, headers) if fault]
for fault in faults:
    print(fault)
print(f"{len(headers)} headers, {len(faults)} faults")
sys.exit(1 if faults or not headers else 0)
