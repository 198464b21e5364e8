#!/usr/bin/env bash
# Makes .venv in the current folder and installs this project into it; does nothing when that is already so.
# usage: bash deploy/make_venv.sh [dev]      with `dev`: also what the tests need
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    say "error: Readacross needs Python 3.11 or newer; found: $(python3 --version 2>&1 || echo none)"
    return 1
}

make_empty_venv() { # a Debian without python3-venv has no ensurepip: three ways round it, then words
    local python=$1
    "$python" -m venv .venv >/dev/null 2>&1 && return 0
    rm -rf .venv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv, which this Python lacks"
        apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >&2
        "$python" -m venv .venv && return 0
        rm -rf .venv
    fi
    command -v uv >/dev/null && uv venv -q --seed --python "$python" .venv && return 0
    command -v virtualenv >/dev/null && virtualenv -q -p "$python" .venv && return 0
    if "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
        "$python" -m pip --python .venv/bin/python install -q pip && return 0
        rm -rf .venv
    fi
    say "error: $python cannot make a virtual environment. Install one of: python3-venv (apt), virtualenv, uv."
    return 1
}

if [ -x .venv/bin/python ] && ! .venv/bin/python -c '' 2>/dev/null; then
    say "the .venv here does not run on this machine; making a new one"
    rm -rf .venv
fi
[ -x .venv/bin/python ] || make_empty_venv "$(find_python)"

extra=${1:-}
stamp=.venv/readacross-installed # holds what was installed from, so that a change installs again
project=$({ echo "$PWD"; cat pyproject.toml; } | sha256sum | cut -d' ' -f1)
case "$(cat "$stamp" 2>/dev/null || true)" in
    "$project dev" | "$project $extra") exit 0 ;;
esac
say "installing Readacross into $PWD/.venv (a minute or two the first time)"
.venv/bin/python -m pip install -q --disable-pip-version-check -e ".${extra:+[$extra]}" >&2
echo "$project $extra" >"$stamp"
