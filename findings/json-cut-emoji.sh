#!/usr/bin/env bash
# JavaScript's `slice` can cut an emoji, and JSON.stringify writes the half as an escape of plain ASCII. For one such
# member, ClickHouse's functions lose the whole object without an error, while its JSONEachRow refuses a first half but
# stores a second half as bytes that are not UTF-8; Python reads both, and serde_json refuses both.
#
# Seen with ClickHouse 26.7.2 (chdb-core 26.7.3), serde_json 1.0.154, and the Node.js and Python that are installed. The
# grammar of RFC 8259 allows the escape, and its section 8.2 warns that what follows is unpredictable.
# On it depends: such a record is rejected before it comes near ClickHouse (crates/events/tests/events/rejected.rs).
#
# Usage: json-cut-emoji.sh [VERSION of chdb-core]. Needs Node.js, Rust, Python's venv and 1.5 GB of temporary space.
set -eu
version=${1:-26.7.3}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
export CARGO_TARGET_DIR="$directory/target"
cargo init --quiet --vcs none --name reader reader &&
  cargo add --quiet --manifest-path reader/Cargo.toml serde_json@=1.0.154 || cannot_try "the crate cannot be added"
cat >reader/src/main.rs <<'RUST'
fn main() {
    let read = serde_json::from_reader::<_, serde_json::Value>(std::io::stdin());
    println!("{}", read.map_or_else(|error| format!("refused: {error}"), |value| value["id"].to_string()));
}
RUST
cargo build --quiet --manifest-path reader/Cargo.toml || cannot_try "the crate cannot be built"
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check "chdb-core==$version" ||
  cannot_try "the package cannot be installed"

cat >try.py <<'PYTHON'
import json
import subprocess
import sys

import chdb

connection = chdb.connect(":memory:")


def run(*command, given=""):
    return subprocess.run(command, input=given, capture_output=True, check=True, text=True, timeout=60).stdout.strip()


def cut(expression):
    return run("node", "-p", f"JSON.stringify({{ id: '7', title: {expression} }})")


def python(text):
    return json.loads(text)["id"]


def rust(text):
    return run("target/debug/reader", given=text).partition(":")[0]


def clickhouse(query, text):
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    try:
        return str(connection.query(query.format(quoted), "TSVRaw")).strip("\n")
    except Exception as error:
        # "Code: 25. DB::Exception: Cannot parse escape sequence …"
        return "refused: " + str(error).partition("DB::Exception: ")[2].partition(":")[0]


def function(text):
    return clickhouse("SELECT JSONExtractString('{0}', 'id')", text)


def row(text):
    stored = "SELECT id, isValidUTF8(title), hex(title) FROM format(JSONEachRow, 'id String, title String', '{0}')"
    return " ".join(clickhouse(stored, text).split("\t")).partition(" In JSON")[0]


print(f"ClickHouse {clickhouse('SELECT version()', '')}, serde_json 1.0.154")
print(f"Node.js {run('node', '--version')}, Python {sys.version.split()[0]}")
print("guess: where JSON is read at all, the id is 7, and one half is as good or bad as the other")
whole, first, second = (cut(text) for text in ("'🙂'", "'🙂'.slice(0, 1)", "'🙂'.slice(1)"))
assert [read(whole) for read in (python, function)] == ["7", "7"] and rust(whole) == '"7"'
assert row(whole) == "7 1 F09F9982", row(whole)
readers = {"Python's json": python, "serde_json": rust, "JSONExtractString": function, "JSONEachRow": row}
seen = {(name, text): read(text) for text in (first, second) for name, read in readers.items()}
for (name, text), answer in seen.items():
    print(f"seen:  {text} {name}: {answer!r}")
ids = list(seen.values())
same = ids[0] == ids[4] == "7" and ids[1] == ids[5] == "refused" and ids[2] == ids[6] == ""
same = same and ids[3].startswith("refused: Cannot parse escape sequence") and ids[7] == "7 0 EDB982"
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
