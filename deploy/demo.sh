#!/usr/bin/env bash
# A whole region on this machine: makes .venv, installs, runs `readacross demo`. No root, no Docker, no server.
# usage: bash deploy/demo.sh          until Ctrl-C
#        bash deploy/demo.sh --once   several studies the whole way round, checked
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash deploy/make_venv.sh
exec .venv/bin/readacross demo "$@"
