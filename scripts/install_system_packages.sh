#!/bin/sh
# What the tests need from the system: a Chromium to drive and a PostgreSQL to start on loopback.
set -eu
missing=""
command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu-core"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "The tests need system packages. Type: sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi
