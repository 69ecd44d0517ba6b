#!/bin/sh
# Starts plumb in a container: says what is missing before it says anything else, and then is plumb itself, so that
# SIGTERM reaches it and the last part is answered.
set -eu
plumb=${PLUMB:-/usr/bin/plumb}
data=${PLUMB_DATA_FOLDER:-/var/lib/plumb}

fail() {
    echo "plumb-entrypoint: $1" >&2
    exit "$2"
}

if [ "${1:-}" = run ]; then
    file=${2:-/etc/plumb/station.toml}
    [ -r "$file" ] || fail "$file cannot be read; mount the station's folder: -v ./station:/etc/plumb:ro" 3
    [ -w "$data" ] || fail "$data cannot be written by uid $(id -u); mount a volume there: -v plumb-data:$data" 4
    "$plumb" check "$file" || exit $?
fi
exec "$plumb" "$@"
