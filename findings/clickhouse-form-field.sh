#!/usr/bin/env bash
# A statement that is sent as a field of a form (multipart/form-data), as clients send it with parameters, may have 128 KiB:
# `http_max_field_value_size` in the URL of the request is taken without an error and changes nothing. As the body of the
# request the same statement is run.
#
# Seen with ClickHouse 26.7.2 (@chdb/lib-linux-x64-gnu 26.7.3-stable.1).
# On it depends: what names many rows is sent without parameters (`lookup` in crates/aggregator/src/connection.rs).
#
# Usage: clickhouse-form-field.sh [VERSION of @chdb/lib-linux-x64-gnu]. Needs npm, Python 3 and 1 GB of temporary space.
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

cat >server.py <<'PYTHON'
"""Serves until it is killed: PORT."""
import ctypes
import glob
import sys

library = ctypes.CDLL(glob.glob("package/**/libchdb.so", recursive=True)[0])
serve = (
    "SYSTEM START LISTEN HTTP;"
    " SELECT sleepEachRow(3) FROM numbers(1000000) SETTINGS max_block_size = 1 FORMAT Null"
)
arguments = [
    "clickhouse-local", "--config-file=config.xml", "--path=data", "--listen_host=127.0.0.1",
    f"--http_port={sys.argv[1]}", "--log-level=none", "--query", serve,
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

LIMIT = 10_000_000
os.makedirs("data")
user = (
    "<password/><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>"
    "<grants><query>GRANT ALL ON *.*</query></grants>"
)
with open("config.xml", "w") as file:
    file.write("<clickhouse><users_config>users.xml</users_config></clickhouse>")
with open("users.xml", "w") as file:
    file.write(
        "<clickhouse><profiles><default/></profiles><quotas><default/></quotas>"
        f"<users><default>{user}</default><trial>{user}</trial></users></clickhouse>"
    )
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]


def ask(body, content_type="text/plain"):
    url = f"http://127.0.0.1:{port}/?user=trial&max_query_size={LIMIT}&http_max_field_value_size={LIMIT}"
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        return urllib.request.urlopen(request, timeout=30).read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def serves():
    try:
        return ask(b"SELECT 1") == "1"
    except OSError:
        return False


def form(statement):
    field = 'Content-Disposition: form-data; name="query"\r\n\r\n' + statement
    return f"--part\r\n{field}\r\n--part--\r\n".encode(), "multipart/form-data; boundary=part"


def statement(length):
    return "SELECT length('" + "x" * length + "')"


process = subprocess.Popen([sys.executable, "server.py", str(port)])
try:
    deadline = time.monotonic() + 60
    while not serves():
        if time.monotonic() > deadline:
            print("the server does not serve", file=sys.stderr)
            sys.exit(2)
        time.sleep(0.2)
    print(f"ClickHouse {ask(b'SELECT version()')}; http_max_field_value_size is {LIMIT} in each URL")
    same = True
    for name, saw, expected in (
        ("200,000 characters as the body", ask(statement(200_000).encode()), "200000"),
        ("100,000 characters in a form", ask(*form(statement(100_000))), "100000"),
        ("200,000 characters in a form", ask(*form(statement(200_000))), "Field value too long"),
    ):
        guess = name.split()[0].replace(",", "")
        print(f"{name}: guess {guess}, expected {expected}, saw {saw.strip()[:100]}")
        same = same and expected in saw
    sys.exit(0 if same else 1)
finally:
    process.kill()
    process.wait()
PYTHON
python3 try.py
