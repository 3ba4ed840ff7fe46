# Sourced by the scripts beside it: messages, package installation, folders.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
KAPOK_ROOT=$PWD
: "${KAPOK_CACHE:=$KAPOK_ROOT/build/cache}"
: "${KAPOK_JOBS:=$(nproc)}"

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The header of the calling script (its comment up to the first other line) is its help.
show_help() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "packages are missing and neither root nor sudo is at hand. As root run: $*"
  fi
}

# ensure_packages build run ...: installs the packages of scripts/packages.txt that these need.
ensure_packages() {
  local wanted=" $* " missing=() package need
  while read -r package need; do
    case $package in ''|\#*) continue ;; esac
    [[ $wanted == *" $need "* ]] || continue
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done < scripts/packages.txt
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  command -v apt-get >/dev/null || die "apt-get is missing: Kapok builds on Debian 12. Install by hand: ${missing[*]}"
  as_root apt-get update -q -o APT::Update::Error-Mode=any ||
    die "apt-get update failed: is this machine connected, and are bookworm, bookworm-updates and bookworm-security in /etc/apt/sources.list?"
  # policy-rc.d: a package that is installed for a test must not start a service on this machine.
  local policy=/usr/sbin/policy-rc.d made=no status=0
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy && made=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" || status=$?
  [ $made = no ] || as_root rm -f $policy
  [ $status = 0 ] || die "apt-get install failed (above). On Debian 12 every package of scripts/packages.txt exists."
}

# Any node >= 18 with npm that is there is used; Debian's are installed only where missing.
ensure_node() {
  local major=0
  if command -v node >/dev/null && command -v npm >/dev/null; then
    major=$(node -p 'process.versions.node.split(".")[0]')
  fi
  [ "$major" -ge 18 ] && return
  say "installing Debian's nodejs and npm"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs npm ||
    die "node 18 or newer and npm are needed for the web player"
}

# npm_install FOLDER: npm ci, skipped while the lock file is the one last installed.
npm_install() {
  local stamp=$1/node_modules/.kapok-lock
  cmp -s "$1/package-lock.json" "$stamp" 2>/dev/null && return 0
  say "installing npm packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) || die "npm ci failed in $1"
  cp "$1/package-lock.json" "$stamp"
}

build_player() {
  ensure_node
  npm_install player
  if [ ! -f player/dist/index.html ] || [ -n "$(find player -path player/node_modules -prune -o -path player/dist -prune -o -type f -newer player/dist/index.html -print -quit)" ]; then
    say "building the web player"
    (cd player && npm run --silent build)
  fi
}

# build_preset PRESET [targets...]: configure once, then ninja.
build_preset() {
  local preset=$1; shift
  export CCACHE_DIR=${CCACHE_DIR:-$HOME/.cache/ccache}
  if [ ! -f "build/$preset/build.ninja" ]; then
    say "configuring build/$preset"
    cmake --preset "$preset" > "build/$preset.configure.log" 2>&1 || { tail -n 30 "build/$preset.configure.log"; die "cmake --preset $preset failed"; }
  fi
  say "compiling build/$preset"
  ninja -C "build/$preset" -j "$KAPOK_JOBS" "$@"
}
