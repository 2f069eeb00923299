#!/bin/sh
# Make a virtual environment, or say the one line to type.
set -eu
python=$1
venv=$2
if ! "$python" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Frontdoor needs Python 3.11 or newer as '$python'. Name another with: make PYTHON=python3.12" >&2
    exit 1
fi
[ -x "$venv/bin/pip" ] && exit 0
if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
    rm -rf "$venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv >/dev/null
        "$python" -m venv "$venv"
    else
        echo "Python's venv module is missing. Type: sudo apt-get install python3-venv" >&2
        exit 1
    fi
fi
