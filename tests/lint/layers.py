#!/usr/bin/env python3
"""Checks every #include and co_await of server/ and transcoder/ against the project's rules.

- an include of another folder must be declared in cmake/layers.txt (transitively reachable is not enough);
- project includes are full paths from the root in quotes, never "..";
- FFmpeg, GStreamer and libsrt headers never appear under server/;
- co_await stands alone: not inside parentheses of another expression, once a statement (style rule 6.1);
- a source is at most 600 lines (tests 800).
Prints file:line: message for each breach; exit status 1 if there is one.
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()


def read_layers():
    layers = {}
    for line in (root / "cmake/layers.txt").read_text().splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        folder, uses = line.split(":", 1)
        layers[folder.strip()] = set(uses.split())
    return layers


def folder_of(path, layers):
    best = ""
    for folder in layers:
        if (path == folder or path.startswith(folder + "/")) and len(folder) > len(best):
            best = folder
    return best


def main():
    layers = read_layers()
    faults = []
    order = list(layers)
    for position, (folder, uses) in enumerate(layers.items()):
        for used in uses - {"*"}:
            if used not in layers:
                faults.append(f"cmake/layers.txt: {folder} uses {used}, which is not a folder here")
            elif order.index(used) >= position:
                faults.append(f"cmake/layers.txt: {folder} uses {used}, which is not below it")
    include = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
    foreign = re.compile(r"^(libav|libsw|gst/|srt/|x264|x265)")
    checked = 0
    for base in ("server", "transcoder"):
        for path in sorted((root / base).rglob("*.[ch]pp")):
            name = path.relative_to(root).as_posix()
            lines = path.read_text().splitlines()
            checked += 1
            mine = folder_of(name, layers)
            if not mine:
                faults.append(f"{name}:1: its folder has no line in cmake/layers.txt")
                continue
            limit = 800 if name.endswith("_test.cpp") else 600
            if len(lines) > limit:
                faults.append(f"{name}:{limit}: {len(lines)} lines, {limit} at most: split it by concept")
            for number, line in enumerate(lines, 1):
                found = include.match(line)
                if found:
                    quote, target = found.groups()
                    if ".." in target.split("/"):
                        faults.append(f"{name}:{number}: '..' in an include")
                    if base == "server" and foreign.match(target):
                        faults.append(f"{name}:{number}: {target}: no codec or SRT library in the server")
                    if quote == '"' and not target.startswith(("server/", "transcoder/", "tests/")):
                        faults.append(f"{name}:{number}: include {target} by its full path from the root")
                    if target.startswith(("server/", "transcoder/")):
                        theirs = folder_of(target, layers)
                        allowed = layers[mine]
                        if theirs and theirs != mine and theirs not in allowed and "*" not in allowed:
                            faults.append(f"{name}:{number}: {mine} may not include {theirs} (cmake/layers.txt)")
                        if not (root / target).exists():
                            faults.append(f"{name}:{number}: {target} does not exist")
                code = line.split("//")[0]
                if len(re.findall(r"\bco_await\b", code)) > 1 or re.search(r"[\(,!&|+]\s*co_await\b", code):
                    faults.append(f"{name}:{number}: co_await must stand alone in its statement")
    for fault in faults:
        print(fault)
    print(f"{checked} sources checked, {len(faults)} faults")
    return 1 if faults or checked == 0 else 0


sys.exit(main())
