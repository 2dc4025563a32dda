#!/usr/bin/env bash
# A table alias that is called as the database hides it within the same FROM: `sales.items` is then looked for as a column of
# the alias `sales`, and the statement fails. Another alias, or none, and it works. So a statement that names tables with their
# database works for all databases but those that are called as one of its aliases.
#
# Seen with ClickHouse 26.7.2 (chdb-core 26.7.3).
# On it depends: statements that join tables of a database whose name is a setting (crates/aggregator/sql/erase/) give them no
# alias that a database is likely to be called by.
#
# Usage: clickhouse-alias-hides-database.sh [VERSION of chdb-core]. Needs Python's venv and 1.5 GB of temporary space.
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

connection = chdb.connect("data")


def ask(statement):
    try:
        return str(connection.query(statement, "TSV")).strip()
    except Exception as error:
        return str(error)


ask("CREATE DATABASE sales")
for table in ("items", "totals"):
    ask(f"CREATE TABLE sales.{table} (id UInt8) ENGINE = MergeTree ORDER BY id")
    ask(f"INSERT INTO sales.{table} VALUES (7)")

print("ClickHouse", ask("SELECT version()"))
join = "SELECT items.id FROM sales.items AS items INNER JOIN sales.totals AS {0} ON {0}.id = items.id"
same = True
for name, saw, expected in (
    ("the alias totals", ask(join.format("totals")), "7"),
    ("the alias sales, as the database", ask(join.format("sales")), "UNKNOWN_IDENTIFIER"),
):
    print(f"{name}: guess 7, expected {expected}, saw {saw[:110]}")
    same = same and expected in saw
sys.exit(0 if same else 1)
PYTHON
venv/bin/python try.py
