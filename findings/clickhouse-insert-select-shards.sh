#!/usr/bin/env bash
# `INSERT … SELECT` from `cluster(…)` into a `Distributed` table does not send rows by its sharding key: each shard inserts what it
# selected itself. With `parallel_distributed_insert_select = 0` (the default is 2) rows go where they belong.
#
# Seen with ClickHouse 26.7.2 (@chdb/lib-linux-x64-gnu 26.7.3-stable.1), two shards.
# On it depends: statements that insert what they select (crates/aggregator/src/connection.rs,
# docs/decisions/shards-compute-views.md).
#
# Usage: clickhouse-insert-select-shards.sh [VERSION of @chdb/lib-linux-x64-gnu]. Needs npm, Python 3 and 1 GB of temporary space.
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
    for shard, first in ((0, 0), (1, 4)):
        ask(shard, "CREATE TABLE default.source (id UInt8) ENGINE = MergeTree ORDER BY id")
        ask(shard, f"INSERT INTO default.source SELECT number + {first} FROM numbers(4)")
        ask(shard, "CREATE TABLE default.kept AS default.source ENGINE = MergeTree ORDER BY id")
        ask(shard, "CREATE TABLE default.all AS default.kept ENGINE = Distributed(pair, default, kept, id % 2)")
    print(f"ClickHouse {ask(0, 'SELECT version()')}; the source has 0 to 3 on shard one and 4 to 7 on shard two; even ids belong on one")
    same = True
    for setting, expected in (("", ["[0,1,2,3]", "[4,5,6,7]"]), (", parallel_distributed_insert_select = 0", ["[0,2,4,6]", "[1,3,5,7]"])):
        for shard in (0, 1):
            ask(shard, "TRUNCATE TABLE default.kept")
        selected = "SELECT id FROM cluster('pair', view(SELECT id FROM default.source))"
        ask(0, f"INSERT INTO default.all SETTINGS distributed_foreground_insert = 1{setting} {selected}")
        saw = [ask(shard, "SELECT arraySort(groupArray(id)) FROM default.kept") for shard in (0, 1)]
        print(f"SETTINGS{setting or ' by default'}: guess [0,2,4,6] [1,3,5,7], expected {' '.join(expected)}, saw {' '.join(saw)}")
        same = same and saw == expected
    sys.exit(0 if same else 1)
finally:
    for process in processes:
        process.kill()
        process.wait()
PYTHON
python3 try.py
