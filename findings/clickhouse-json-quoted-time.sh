#!/usr/bin/env bash
# Whether a number has quotes decides its unit where ClickHouse reads an instant from JSON: into a DateTime64(3),
# 1700000000 is milliseconds and "1700000000" seconds; into a DateTime, 1700000000123 is seconds, cut to the last of the
# type, and "1700000000123" milliseconds.
#
# Seen with ClickHouse 26.7.2 (chdb-core 26.7.3). None of these raises an error.
# On it depends: rows are sent as Native blocks, whose instants have one unit each (crates/aggregator/src/native.rs,
# docs/decisions/native-blocks.md).
#
# Usage: clickhouse-json-quoted-time.sh [VERSION of chdb-core]. Needs Python's venv and 1.5 GB of temporary space.
set -eu
version=${1:-26.7.3}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check "chdb-core==$version" ||
  cannot_try "the package cannot be installed"

cat >try.py <<'PYTHON'
import sys

import chdb

# By type and how JSON writes the number. A good guess gives all of a type's lines the same instant, or refuses some.
EXPECTED = {
    ("DateTime64(3, 'UTC')", "1700000000"): "1970-01-20 16:13:20.000",
    ("DateTime64(3, 'UTC')", '"1700000000"'): "2023-11-14 22:13:20.000",
    ("DateTime64(3, 'UTC')", "1700000000123"): "2023-11-14 22:13:20.123",
    ("DateTime64(3, 'UTC')", '"1700000000123"'): "2023-11-14 22:13:20.123",
    ("DateTime('UTC')", "1700000000"): "2023-11-14 22:13:20",
    ("DateTime('UTC')", '"1700000000"'): "2023-11-14 22:13:20",
    ("DateTime('UTC')", "1700000000123"): "2106-02-07 06:28:15",
    ("DateTime('UTC')", '"1700000000123"'): "2023-11-14 22:13:20",
}

connection = chdb.connect(":memory:")


def ask(statement):
    return str(connection.query(statement, "TSVRaw")).strip()


def read(kind, number):
    structure = f"at {kind}".replace("'", "\\'")
    return ask(f"""SELECT at FROM format(JSONEachRow, '{structure}', '{{"at": {number}}}')""")


print(f"ClickHouse {ask('SELECT version()')}, chdb-core {chdb.__version__}")
print("guess: a number is the same instant with and without quotes")
seen = {(kind, number): read(kind, number) for kind, number in EXPECTED}
for (kind, number), instant in seen.items():
    print(f"seen:  {instant:23} from {number:15} as {kind}")
print("still there" if seen == EXPECTED else "gone")
sys.exit(0 if seen == EXPECTED else 3)
PYTHON

# A trial that fails is not a change of the behaviour.
code=0
timeout 300 venv/bin/python try.py || code=$?
case $code in
  0) ;;
  3) exit 1 ;;
  *) cannot_try "the trial failed with code $code" ;;
esac
