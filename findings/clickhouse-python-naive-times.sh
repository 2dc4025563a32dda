#!/usr/bin/env bash
# A datetime without a zone is a different instant for each of ClickHouse's two Python drivers. clickhouse-connect even
# differs from itself: it inserts in the zone of the client and asks in that of the server. So it does not find, by the
# same value, the row that it has just inserted, but the one of clickhouse-driver.
#
# Seen with clickhouse-connect 1.12.0, clickhouse-driver 0.2.11 and ClickHouse 26.7.2 (chDB 26.7.3), where client and
# server are in different zones; a client in UTC hides it. The option `naive_datetime_insert` changes it.
# On it depends: every instant that Rollcall stores or asks for names UTC (crates/aggregator/src/native.rs), and
# tests/system/python/query.py reads with both drivers.
#
# Usage: clickhouse-python-naive-times.sh [VERSION of clickhouse-connect]. Needs Python's venv, npm, Linux on x86-64
# with glibc, and 1 GB of temporary space.
set -eu
version=${1:-1.12.0}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then
    kill -9 "$server" || true
    wait "$server" || true
  fi 2>"$directory/stop.log"
  rm -rf "$directory"
}
trap stop EXIT
cd "$directory"
python3 -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check \
    "clickhouse-connect==$version" clickhouse-driver==0.2.11 tzdata==2026.6 &&
  npm install --silent --no-audit --no-fund @chdb/lib-linux-x64-gnu@26.7.3-stable.1 ||
  cannot_try "the packages cannot be installed"
library=$(find node_modules -name libchdb.so -print -quit)
[ -n "$library" ] || cannot_try "the package has no libchdb.so"

# ClickHouse, as clickhouse-local with listeners, which the library has under this entry point.
cat >server.py <<'PYTHON'
import ctypes
import sys

library, http_port, native_port = sys.argv[1:]
arguments = [
    "clickhouse-local",
    "--path=data",
    "--listen_host=127.0.0.1",
    f"--http_port={http_port}",
    f"--tcp_port={native_port}",
    "--query",
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;"
    " SELECT sleepEachRow(3) FROM numbers(1000) SETTINGS max_block_size = 1 FORMAT Null",
]
texts = (ctypes.c_char_p * (len(arguments) + 1))(*(text.encode() for text in arguments), None)
ctypes.CDLL(library).chdb_query_cmdline(len(arguments), texts)
PYTHON

cat >try.py <<'PYTHON'
import datetime
import sys
import time

import clickhouse_connect
import clickhouse_driver

http_port, native_port = map(int, sys.argv[1:])
NOON = datetime.datetime(2026, 1, 15, 12)


def connect():
    deadline = time.monotonic() + 120
    while True:
        try:
            return clickhouse_connect.get_client(host="127.0.0.1", port=http_port)
        except clickhouse_connect.driver.exceptions.Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


http = connect()
native = clickhouse_driver.Client("127.0.0.1", port=native_port)
http.command("CREATE TABLE visits (driver String, at DateTime('UTC')) ENGINE = Memory")
http.insert("visits", [["clickhouse-connect", NOON]])
native.execute("INSERT INTO visits VALUES", [["clickhouse-driver", NOON]])
aware = NOON.replace(tzinfo=datetime.timezone.utc)
http.insert("visits", [["clickhouse-connect, aware", aware]])
native.execute("INSERT INTO visits VALUES", [["clickhouse-driver, aware", aware]])

stored = dict(http.query("SELECT driver, toString(at) FROM visits ORDER BY driver").result_rows)
asked = "SELECT driver FROM visits WHERE at = {} AND NOT endsWith(driver, 'aware') ORDER BY driver"
found = {
    "clickhouse-connect": http.query(asked.format("{at:DateTime('UTC')}"), parameters={"at": NOON}).result_rows,
    "clickhouse-driver": native.execute(asked.format("%(at)s"), {"at": NOON}),
}
found = {driver: [name for (name,) in rows] for driver, rows in found.items()}
zones = (time.tzname[0], http.command("SELECT timezone()"))
print(f"clickhouse-connect {clickhouse_connect.common.version()}, clickhouse-driver {clickhouse_driver.__version__}")
print(f"ClickHouse {http.server_version}; the client is in {zones[0]}, the server in {zones[1]}")
print(f"guess: {NOON} is one instant, and who inserts it finds it")
for driver, instant in stored.items():
    print(f"seen:  {driver} stored {instant} in UTC")
for driver, rows in found.items():
    print(f"seen:  {driver} asks for {NOON} and finds what was stored by {rows}")
assert stored["clickhouse-connect, aware"] == stored["clickhouse-driver, aware"] == "2026-01-15 12:00:00"
same = stored["clickhouse-connect"] == "2026-01-15 17:00:00"
same = same and stored["clickhouse-driver"] == "2026-01-15 12:00:00"
same = same and found == {driver: ["clickhouse-driver"] for driver in found}
print("still there" if same else "gone")
sys.exit(0 if same else 3)
PYTHON

ports=$(python3 -c "
import socket
sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))")
TZ=UTC python3 server.py "$library" $ports >server.log 2>&1 &
server=$!

# A trial that fails is not a change of the behaviour.
code=0
TZ=America/New_York timeout 300 venv/bin/python try.py $ports || code=$?
case $code in
  0) ;;
  3) exit 1 ;;
  *) cat server.log >&2; cannot_try "the trial failed with code $code" ;;
esac
