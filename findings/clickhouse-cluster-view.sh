#!/usr/bin/env bash
# A statement in `view(…)` within `cluster(…)` is not run by each shard as it stands: the value of a scalar subquery in it
# is found by the node that was asked, from its own rows, and sent to the others. The set of an `IN` is found by each shard.
#
# Seen with ClickHouse 26.7.2 (@chdb/lib-linux-x64-gnu 26.7.3-stable.1), two shards.
# On it depends: what a shard must find in its own rows is asked for as a set (crates/aggregator/src/listing.rs,
# docs/decisions/shards-compute-views.md).
#
# Usage: clickhouse-cluster-view.sh [VERSION of @chdb/lib-linux-x64-gnu]. Needs npm, Python 3 and 1 GB of temporary space.
set -eu
version=${1:-26.7.3-stable.1}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
npm pack --silent "@chdb/lib-linux-x64-gnu@$version" >name && tar -xzf "$(cat name)" ||
  cannot_try "the package cannot be fetched"
rm "$(cat name)"

cat >shard.py <<'PYTHON'
"""Serves one shard until it is killed: SHARD, HTTP PORT and NATIVE PORT."""
import ctypes
import glob
import sys

shard, http, native = sys.argv[1:]
library = ctypes.CDLL(glob.glob("package/**/libchdb.so", recursive=True)[0])
serve = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;"
    " SELECT sleepEachRow(3) FROM numbers(1000000) SETTINGS max_block_size = 1 FORMAT Null"
)
arguments = [
    "clickhouse-local", f"--config-file={shard}/config.xml", f"--path={shard}/data", "--listen_host=127.0.0.1",
    f"--http_port={http}", f"--tcp_port={native}", "--log-level=none", "--query", serve,
]
array = (ctypes.c_char_p * (len(arguments) + 1))(*[argument.encode() for argument in arguments], None)
library.chdb_query_cmdline(len(arguments), array)
PYTHON

cat >try.py <<'PYTHON'
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


https, natives = [free_port(), free_port()], [free_port(), free_port()]
shards = "".join(
    f"<shard><replica><host>127.0.0.1</host><port>{port}</port><user>trial</user></replica></shard>" for port in natives
)
for shard, native in zip(("one", "two"), natives):
    os.makedirs(f"{shard}/data")
    with open(f"{shard}/config.xml", "w") as file:
        file.write(
            f"<clickhouse><users_config>users.xml</users_config><tcp_port>{native}</tcp_port>"
            f"<remote_servers><pair>{shards}</pair></remote_servers></clickhouse>"
        )
    with open(f"{shard}/users.xml", "w") as file:
        user = (
            "<password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>"
            "<grants><query>GRANT ALL ON *.*</query></grants>"
        )
        file.write(
            "<clickhouse><profiles><default/></profiles><quotas><default/></quotas>"
            f"<users><default>{user}</default><trial>{user}</trial></users></clickhouse>"
        )


def ask(shard, statement):
    request = urllib.request.Request(f"http://127.0.0.1:{https[shard]}/?user=trial", statement.encode())
    try:
        return urllib.request.urlopen(request, timeout=30).read().decode().strip()
    except urllib.error.HTTPError as error:
        sys.exit(f"{statement}: {error.read().decode()}")


def serves(shard):
    try:
        return ask(shard, "SELECT 1") == "1"
    except OSError:
        return False


processes = [
    subprocess.Popen([sys.executable, "shard.py", name, str(http), str(native)])
    for name, http, native in zip(("one", "two"), https, natives)
]
try:
    deadline = time.monotonic() + 60
    while not all(serves(shard) for shard in (0, 1)):
        if time.monotonic() > deadline:
            print("the shards do not serve", file=sys.stderr)
            sys.exit(2)
        time.sleep(0.2)
    for shard, latest in ((0, 10), (1, 20)):
        ask(shard, "CREATE TABLE default.seen (day UInt8) ENGINE = MergeTree ORDER BY day")
        ask(shard, f"INSERT INTO default.seen VALUES ({latest - 1}), ({latest})")
    print(f"ClickHouse {ask(0, 'SELECT version()')}; the latest day of shard one is 10, that of shard two 20")
    same = True
    latest = "SELECT max(day) FROM default.seen"
    for name, condition, expected in (
        ("a scalar subquery", f"day = ({latest})", "[10]"),
        ("a set", f"day IN ({latest})", "[10,20]"),
    ):
        inner = f"SELECT day FROM default.seen WHERE {condition}"
        saw = ask(0, f"SELECT arraySort(groupArray(day)) FROM cluster('pair', view({inner}))")
        print(f"{name}: guess [10,20], expected {expected}, saw {saw}")
        same = same and saw == expected
    sys.exit(0 if same else 1)
finally:
    for process in processes:
        process.kill()
        process.wait()
PYTHON
python3 try.py
