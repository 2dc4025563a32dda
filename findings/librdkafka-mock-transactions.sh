#!/usr/bin/env bash
# librdkafka's mock cluster accepts transactions and answers each step with success, but a consumer with
# isolation.level=read_committed sees the records of a transaction before it is committed, and after it was aborted.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0).
# On it depends: what the embedded broker may be used for (docs/decisions/embedded-broker.md). A test of
# exactly-once on it passes or fails for the wrong reason.
#
# Usage: librdkafka-mock-transactions.sh [VERSION of confluent-kafka]. Needs Python's venv.
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
from confluent_kafka import Consumer, Producer, TopicPartition

cluster = Producer({"test.mock.num.brokers": 1, "log_level": 3})
broker = next(iter(cluster.list_topics(timeout=30).brokers.values()))
server = f"{broker.host}:{broker.port}"
acknowledged = []


def committed_records(wait):
    """What a new consumer of committed records reads from the beginning, until nothing comes for so many seconds."""
    consumer = Consumer(
        {
            "bootstrap.servers": server,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "log_level": 3,
        }
    )
    consumer.assign([TopicPartition("events", 0, 0)])
    values = []
    while (record := consumer.poll(wait)) is not None:
        assert record.error() is None, record.error()
        values.append(record.value().decode())
    return values


def publish(producer, value):
    producer.produce("events", value, partition=0, on_delivery=lambda error, _: acknowledged.append(error))
    assert producer.flush(30) == 0


publish(cluster, "outside of transactions")
producer = Producer({"bootstrap.servers": server, "transactional.id": "writer", "log_level": 3})
producer.init_transactions(30)
producer.begin_transaction()
publish(producer, "aborted")
producer.abort_transaction(30)
producer.begin_transaction()
publish(producer, "open")
while_open = committed_records(wait=5)
producer.commit_transaction(30)
assert acknowledged == [None] * 3, acknowledged

print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
print("guess: while the second transaction is open, ['outside of transactions'] is what can be read")
print(f"seen:  {while_open}")
same = while_open == ["outside of transactions", "aborted", "open"]
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
