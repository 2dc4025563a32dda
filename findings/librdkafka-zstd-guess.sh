#!/usr/bin/env bash
# librdkafka refuses a zstd batch (BAD_COMPRESSION, over and over) that unpacks to less than receive.message.max.bytes: it
# guesses how large the batch is, triples the guess until it is enough, and gives up where the next guess is beyond the limit.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0).
# On it depends: receive.message.max.bytes in crates/consumer/src/kafka/client.rs (docs/decisions/unreadable-batches.md).
#
# Usage: librdkafka-zstd-guess.sh [VERSION of confluent-kafka]. Needs Python's venv.
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
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

RECORD = 900_000
LIMITS = [RECORD + RECORD // 10 * tenths for tenths in range(1, 25, 3)]

cluster = Producer(
    {"test.mock.num.brokers": 1, "compression.type": "zstd", "message.max.bytes": 2_000_000, "log_level": 3}
)
broker = next(iter(cluster.list_topics(timeout=30).brokers.values()))
refusals = []
cluster.produce("events", b"x" * RECORD, partition=0, on_delivery=lambda error, _: refusals.append(error))
assert cluster.flush(30) == 0 and refusals == [None], refusals


def reads(limit):
    """Whether the record is read by a consumer that receives and unpacks as many bytes."""
    consumer = Consumer(
        {
            "bootstrap.servers": f"{broker.host}:{broker.port}",
            "group.id": "reader",
            "receive.message.max.bytes": limit,
            "fetch.max.bytes": limit - 512,
            "message.max.bytes": 1000,
            "max.partition.fetch.bytes": 1000,
            "enable.auto.commit": False,
            "log_level": 3,
        }
    )
    consumer.assign([TopicPartition("events", 0, 0)])
    record = consumer.poll(30)
    consumer.close()
    assert record is not None, "nothing came"
    if record.error() is None:
        assert len(record.value()) == RECORD
        return True
    assert record.error().code() == KafkaError._BAD_COMPRESSION, record.error()
    return False


read = {limit: reads(limit) for limit in LIMITS}
print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
print(f"a record of {RECORD} bytes; guess: it is read wherever the limit is larger")
print("seen:  " + ", ".join(f"{limit} {'read' if is_read else 'refused'}" for limit, is_read in read.items()))
same = not all(read.values()) and any(read.values())
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
