#!/usr/bin/env bash
# chrono reads RFC 3339's own example of a leap second, 1990-12-31T23:59:60Z, and puts it on two days: `timestamp()`
# and `date_naive()` are in 1990, while `timestamp_millis()` is in 1991. So it is less than a time with the same
# milliseconds. ClickHouse reads the first second of 1991; Python and JavaScript refuse it.
#
# Seen with chrono 0.4.45, ClickHouse 26.7.2 (chdb-core 26.7.3), and the Node.js and Python that are installed.
# On it depends: events are read by a function of our own, in which the second 60 is the second that follows
# (`parse_rfc3339` in crates/events/src/timestamp.rs). With chrono, the day of an event would depend on the method.
#
# Usage: leap-second.sh [VERSION of chrono]. Needs Rust, Node.js, Python's venv and 1.5 GB of temporary space.
set -eu
version=${1:-0.4.45}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
export CARGO_TARGET_DIR="$directory/target"
cargo init --quiet --vcs none --name reader reader &&
  cargo add --quiet --manifest-path reader/Cargo.toml --no-default-features --features std "chrono@=$version" ||
  cannot_try "the crate cannot be added"
cat >reader/src/main.rs <<'RUST'
use chrono::DateTime;

fn main() {
    let text = std::env::args().nth(1).expect("a time");
    let time = DateTime::parse_from_rfc3339(&text).expect("RFC 3339").to_utc();
    let copy = DateTime::from_timestamp_millis(time.timestamp_millis()).expect("in range");
    println!("{} {} {}", time.timestamp(), time.timestamp_millis(), time.date_naive());
    println!("{} {:?}", copy.date_naive(), time.cmp(&copy));
}
RUST
cargo build --quiet --manifest-path reader/Cargo.toml || cannot_try "the crate cannot be built"
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check chdb-core==26.7.3 ||
  cannot_try "the package cannot be installed"

cat >try.py <<'PYTHON'
import datetime
import subprocess
import sys

import chdb

TEXT = "1990-12-31T23:59:60Z"
NEXT_DAY = 662_688_000


def run(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout.split()


def python(text):
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").isoformat()
    except ValueError:
        return "refused"


def clickhouse(text):
    answer = chdb.query(f"SELECT toUnixTimestamp(parseDateTimeBestEffort('{text}', 'UTC'))", "TSV")
    return int(str(answer))


def javascript(text):
    (answer,) = run("node", "-p", f"new Date('{text}').getTime()")
    return "refused" if answer == "NaN" else answer


ordinary = "1990-12-31T23:59:59Z"
assert run("target/debug/reader", ordinary)[-1] == "Equal"
assert clickhouse(ordinary) == NEXT_DAY - 1
seconds, milliseconds, day, day_of_milliseconds, order = run("target/debug/reader", TEXT)
others = {"ClickHouse": clickhouse(TEXT), "Python": python(TEXT), "JavaScript": javascript(TEXT)}
print(f"chrono {sys.argv[1]}, ClickHouse {str(chdb.query('SELECT version()', 'TSVRaw')).strip()}")
print(f"Python {sys.version.split()[0]}, Node.js {' '.join(run('node', '--version'))}")
print(f"guess: {TEXT} is refused, or the milliseconds are a thousand times the seconds, on one day")
print(f"seen:  chrono: timestamp {seconds}, timestamp_millis {milliseconds}, date_naive {day}")
print(f"seen:  chrono: from those milliseconds date_naive {day_of_milliseconds}, and the time read is {order} than it")
print(f"seen:  {others}")
same = (int(seconds), int(milliseconds)) == (NEXT_DAY - 1, NEXT_DAY * 1000)
same = same and (day, day_of_milliseconds, order) == ("1990-12-31", "1991-01-01", "Less")
same = same and list(others.values()) == [NEXT_DAY, "refused", "refused"]
print("still there" if same else "gone")
sys.exit(0 if same else 3)
PYTHON

# A trial that fails is not a change of the behaviour.
code=0
timeout 300 venv/bin/python try.py "$version" || code=$?
case $code in
  0) ;;
  3) exit 1 ;;
  *) cannot_try "the trial failed with code $code" ;;
esac
