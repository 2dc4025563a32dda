#!/usr/bin/env bash
# A whole number of more than 64 bits that is written in a statement is a Float64: compared with a column of UInt128, as UUIDs that
# are kept as numbers are, it finds nothing and says nothing, by = and by IN. The same number as a text that is cast is found, by
# the primary key. Where the 38 digits happen to be a multiple of a large power of two, it is found as well, so that a test with
# small or round numbers sees nothing.
#
# Seen with ClickHouse 26.7.2 (chdb-core 26.7.3).
# On it depends: ids of conversations and users are given to statements as texts that are cast (crates/aggregator/sql).
#
# Usage: clickhouse-wide-literals.sh [VERSION of chdb-core]. Needs Python's venv and 1.5 GB of temporary space.
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

WIDE = 123456789012345678901234567890123456777
ROUND = 2**126

connection = chdb.connect("data")


def ask(statement):
    return str(connection.query(statement, "TSV")).strip()


ask("CREATE TABLE ids (id UInt128) ENGINE = MergeTree ORDER BY id")
ask(f"INSERT INTO ids VALUES ('{WIDE}'), ('{ROUND}')")

print("ClickHouse", ask("SELECT version()"))
same = True
for name, condition, expected in (
    ("= a number", f"id = {WIDE}", "0"),
    ("IN with a number", f"id IN ({WIDE})", "0"),
    ("= a text that is cast", f"id = CAST('{WIDE}' AS UInt128)", "1"),
    ("= a round number", f"id = {ROUND}", "1"),
):
    saw = ask(f"SELECT count() FROM ids WHERE {condition}")
    print(f"{name}: guess 1, expected {expected}, saw {saw}")
    same = same and saw == expected
sys.exit(0 if same else 1)
PYTHON
venv/bin/python try.py
