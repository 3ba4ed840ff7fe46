#!/usr/bin/env python3
"""Compiles every header of server/ and transcoder/ alone, without the precompiled header.

A header is reachable only through the include roots of the folders that its own folder declares, so
this also shows that headers keep to their layer. Usage: headers.py SOURCE_DIR BUILD_DIR
"""
import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys

root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
flags = ["clang++-19", "-std=c++23", "-fsyntax-only", "-x", "c++", "-Wall", "-Wextra", "-Werror",
         "-Wno-pragma-once-outside-header", "-DBOOST_ASIO_SEPARATE_COMPILATION", "-DBOOST_ASIO_NO_DEPRECATED",
         "-DBOOST_ASIO_NO_TS_EXECUTORS", "-DBOOST_ASIO_HAS_CO_AWAIT", "-DBOOST_BEAST_USE_STD_STRING_VIEW"]
roots = [f"-I{path}" for path in sorted((build / "layers").iterdir())] if (build / "layers").is_dir() else []
cache = build / "header-lint"
cache.mkdir(exist_ok=True)


def digest_of_all():
    """One digest over every header: a change anywhere compiles all of them again."""
    whole = hashlib.sha256()
    for path in sorted((root / "server").rglob("*.hpp")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


state = digest_of_all()


def check(path):
    stamp = cache / hashlib.sha256(str(path).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        return None
    done = subprocess.run(flags + roots + [str(path)], capture_output=True, text=True)
    if done.returncode == 0:
        stamp.write_text(state)
        return None
    return f"{path.relative_to(root)} does not compile alone:\n{done.stderr[:2000]}"


headers = sorted(p for base in ("server", "transcoder") for p in (root / base).rglob("*.hpp"))
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    faults = [fault for fault in pool.map(check, headers) if fault]
for fault in faults:
    print(fault)
print(f"{len(headers)} headers, {len(faults)} faults")
sys.exit(1 if faults or not headers else 0)
