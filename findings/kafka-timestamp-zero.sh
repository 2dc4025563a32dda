#!/usr/bin/env bash
# A record's timestamp of 0, the first millisecond of 1970, is replaced with the present by librdkafka's producer
# without an error; kafkajs and aiokafka send it as it is, as all three do with 1.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0), kafkajs 2.2.4 and aiokafka 0.14.0.
# On it depends: `replay`, which restores the timestamps of dead letters (crates/consumer/src/replay.rs). It cannot
# restore this one.
#
# Usage: kafka-timestamp-zero.sh [VERSION of confluent-kafka]. Needs Python's venv and npm.
set -eu
version=${1:-2.16.1}
cannot_try() {
  echo "could not be tried: $1" >&2
  exit 2
}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
python3 -m venv venv &&
  venv/bin/pip install --quiet --disable-pip-version-check "confluent-kafka==$version" aiokafka==0.14.0 &&
  npm install --silent --no-audit --no-fund kafkajs@2.2.4 || cannot_try "the packages cannot be installed"

cat >publish.cjs <<'JAVASCRIPT'
const { Kafka, logLevel } = require("kafkajs");

async function main([server, ...timestamps]) {
  const producer = new Kafka({ brokers: [server], logLevel: logLevel.ERROR }).producer();
  await producer.connect();
  for (const timestamp of timestamps) {
    await producer.send({ topic: "kafkajs", messages: [{ value: "x", partition: 0, timestamp }] });
  }
  await producer.disconnect();
}

main(process.argv.slice(2));
JAVASCRIPT

cat >try.py <<'PYTHON'
import asyncio
import subprocess
import sys
import time

import confluent_kafka
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer, TopicPartition

TIMESTAMPS = [0, 1]


def with_librdkafka(producer):
    for timestamp in TIMESTAMPS:
        producer.produce("librdkafka", b"x", partition=0, timestamp=timestamp)
    assert producer.flush(30) == 0


async def with_aiokafka(server):
    async with AIOKafkaProducer(bootstrap_servers=server) as producer:
        for timestamp in TIMESTAMPS:
            await producer.send_and_wait("aiokafka", b"x", partition=0, timestamp_ms=timestamp)


def timestamps_of(server, topic):
    consumer = Consumer({"bootstrap.servers": server, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = consumer.consume(len(TIMESTAMPS), timeout=30)
    assert [record.error() for record in records] == [None] * len(TIMESTAMPS)
    return [record.timestamp()[1] for record in records]


# The broker is librdkafka's own mock cluster: it stores the batches as producers make them.
producer = Producer({"test.mock.num.brokers": 1, "log_level": 3})
broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
server = f"{broker.host}:{broker.port}"
started = int(time.time() * 1000)
with_librdkafka(producer)
asyncio.run(with_aiokafka(server))
subprocess.run(["node", "publish.cjs", server, *map(str, TIMESTAMPS)], check=True, timeout=60)

print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
print(f"guess: whatever the client, the records have the timestamps {TIMESTAMPS}")
seen = {topic: timestamps_of(server, topic) for topic in ("librdkafka", "aiokafka", "kafkajs")}
for topic, timestamps in seen.items():
    print(f"seen:  {topic} {timestamps}")
zero, one = seen.pop("librdkafka")
same = zero >= started and one == 1 and all(other == TIMESTAMPS for other in seen.values())
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
