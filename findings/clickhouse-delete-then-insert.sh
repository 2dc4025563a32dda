#!/usr/bin/env bash
# Rows that were deleted cannot be inserted again where ClickHouse drops repeated inserts: the insert is acknowledged
# and stores nothing, because a DELETE leaves the record of the first insert. TRUNCATE and DROP PARTITION remove it.
#
# Seen with ClickHouse 26.7.2 (chdb-core 26.7.3), in a MergeTree with `non_replicated_deduplication_window`. A table
# of a Replicated engine has such a window by default.
# On it depends: Rollcall's tables have no window. Their engines fold a batch that is sent again, and `rebuild` can
# insert the same rows a second time (docs/decisions/verify-and-rebuild.md).
#
# Usage: clickhouse-delete-then-insert.sh [VERSION of chdb-core]. Needs Python's venv and 1.5 GB of temporary space.
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

REMOVALS = {
    "DELETE FROM corrected WHERE id = 1": [2],
    "ALTER TABLE corrected DELETE WHERE id = 1 SETTINGS mutations_sync = 1": [2],
    "DELETE FROM corrected WHERE true": [],
    "TRUNCATE TABLE corrected": [1, 2],
    "ALTER TABLE corrected DROP PARTITION tuple()": [1, 2],
}
INSERT = "INSERT INTO corrected VALUES (1, 'a'), (2, 'b')"

connection = chdb.connect("data")


def ask(statement):
    return str(connection.query(statement, "TSV")).strip()


def ids():
    return [int(id) for id in ask("SELECT id FROM corrected ORDER BY id").split()]


print(f"ClickHouse {ask('SELECT version()')}, chdb-core {chdb.__version__}")
print("guess: after each removal, the insert brings back [1, 2]")
same = True
ask("CREATE DATABASE trial ENGINE = Atomic")
ask("USE trial")
for removal, expected in REMOVALS.items():
    ask("DROP TABLE IF EXISTS corrected SYNC")
    ask(
        "CREATE TABLE corrected (id UInt32, value String) ENGINE = MergeTree ORDER BY id"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    ask(INSERT)
    assert ids() == [1, 2]
    ask(removal)
    left = ids()
    ask(INSERT)
    seen = ids()
    print(f"seen:  {seen} (before the insert {left}) after {removal}")
    same = same and seen == expected
print("still there" if same else "gone")
sys.exit(0 if same else 3)
PYTHON

# A trial that fails is not a change of the behaviour.
code=0
timeout 300 venv/bin/python try.py || code=$?
case $code in
  0) ;;
  3) exit 1 ;;
  *) cannot_try "the trial failed with code $code" ;;
esac
