#!/usr/bin/env bash
# librdkafka says that its queue is full, and says so for ever, of a record that is larger than queue.buffering.max.kbytes, though
# the queue is empty and message.max.bytes allows the record. Who waits for room, as the error asks, waits in vain.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0).
# On it depends: the queues of crates/consumer/src/kafka/sender.rs and publisher.rs.
#
# Usage: librdkafka-queue-full.sh [VERSION of confluent-kafka]. Needs Python's venv.
set -eu
version=${1:-2.16.1}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv && venv/bin/pip install --quiet --disable-pip-version-check "confluent-kafka==$version" ||
  cannot_try "the package cannot be installed"

cat >try.py <<'PYTHON'
import sys

import confluent_kafka
from confluent_kafka import Producer

RECORD = 100_000
TRIES = 20

producer = Producer(
    {
        "test.mock.num.brokers": 1,
        "message.max.bytes": 1_000_000,
        "queue.buffering.max.kbytes": 64,
        "log_level": 3,
    }
)
delivered = []


def publish(size):
    try:
        producer.produce("events", b"x" * size, partition=0, on_delivery=lambda error, _: delivered.append(error))
    except BufferError:
        return "queue full"
    producer.flush(30)
    return "delivered" if delivered.pop() is None else "refused"


small = publish(1_000)
assert small == "delivered" and len(producer) == 0, small
outcomes = []
for _ in range(TRIES):
    assert len(producer) == 0
    outcomes.append(publish(RECORD))
    producer.poll(0.1)

print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
print(f"a record of {RECORD} bytes, an empty queue of 64 KiB; guess: it is taken, or refused for its size")
print(f"seen:  {', '.join(sorted(set(outcomes)))}, {TRIES} times")
same = set(outcomes) == {"queue full"}
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
