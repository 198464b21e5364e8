#!/usr/bin/env bash
# Sets up what the tests need, then runs every check once: ruff, mypy --strict, import-linter, the whole suite.
# READACROSS_REQUIRE_PEERS=1 makes a missing peer (Orthanc, DCMTK, PostgreSQL, poppler) a failure instead of skipped tests.
# usage: bash tests/run.sh [PYTEST ARGUMENT...]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

loudly() { printf '\n\033[1;33m!!! %s\033[0m\n' "$*" >&2; }
title() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

missing_peers() {
    command -v Orthanc >/dev/null || [ -x /usr/sbin/Orthanc ] || echo orthanc
    [ -x /usr/bin/storescu ] || echo dcmtk
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || echo postgresql
    command -v pdftotext >/dev/null || echo poppler-utils
    ldconfig -p | grep -q libpangoft2 || echo libpangoft2-1.0-0 # no peer: what WeasyPrint sets pages with
}

install_peers() { # Debian starts what it installs; the tests want the programs only, on ports of their own
    local policy=/usr/sbin/policy-rc.d ours=no result=0 service
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && ours=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >&2 || result=1
    [ "$ours" = yes ] && rm -f "$policy"
    for service in "$@"; do
        if [ -e "/etc/init.d/$service" ]; then
            update-rc.d "$service" disable >/dev/null 2>&1 || true
            service "$service" stop >/dev/null 2>&1 || true
        fi
    done
    return $result
}

prepare_peers() {
    local missing
    missing=$(missing_peers | tr '\n' ' ')
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        title "installing test peers: $missing"
        # shellcheck disable=SC2086  # a list of package names
        install_peers $missing || loudly "apt-get could not install: $missing"
        missing=$(missing_peers | tr '\n' ' ')
    fi
    [ -z "$missing" ] && return 0
    loudly "missing test peers: ${missing}(root on Debian would have them installed by this script)"
    if [ "${READACROSS_REQUIRE_PEERS:-}" = 1 ]; then
        loudly "READACROSS_REQUIRE_PEERS=1: every test that needs them will FAIL"
    else
        loudly "every test marked 'peers' that needs them is SKIPPED; pytest lists each one with the reason"
    fi
}

failed=()
check() {
    local name=$1 start=$SECONDS
    shift
    title "$name"
    if "$@"; then
        echo "-- $name: passed in $((SECONDS - start)) s"
    else
        failed+=("$name")
        echo "-- $name: FAILED after $((SECONDS - start)) s"
    fi
}

prepare_peers
bash deploy/make_venv.sh dev || exit 1
check "ruff check" .venv/bin/ruff check .
check "ruff format" .venv/bin/ruff format --check .
check "mypy --strict" .venv/bin/mypy
check "import-linter" .venv/bin/lint-imports
# three processes on two cores: most tests wait for a peer; a file stays in one process, which shares its region
check "tests" .venv/bin/python -m pytest -n 3 --dist loadfile "$@"

title "in all $SECONDS s"
if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "everything passed"
