#!/bin/sh
# Does what docker-compose.yml needs of the official image's entry point.
set -eu
PGDATA=/var/lib/postgresql/18/docker
run() { setpriv --reuid 999 --regid 999 --clear-groups -- "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    chown 999:999 /var/lib/postgresql
    password=$(mktemp)
    cat "$POSTGRES_PASSWORD_FILE" > "$password"
    chown 999 "$password"
    # POSTGRES_INITDB_ARGS is documented as a list of options:
    # shellcheck disable=SC2086
    run initdb -D "$PGDATA" -U "$POSTGRES_USER" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 \
        $POSTGRES_INITDB_ARGS
    rm "$password"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE \"$POSTGRES_DB\"" | run postgres --single -j -D "$PGDATA" postgres
fi
exec setpriv --reuid 999 --regid 999 --clear-groups -- postgres -D "$PGDATA" -c listen_addresses='*' \
    -c unix_socket_directories=/tmp
