#!/usr/bin/env bash
# The mock cluster of librdkafka names a controller (0) that is none of its brokers (1 to n), so librdkafka's own admin client
# waits its whole timeout for the controller with every request that is for it; what goes to any broker is answered at once.
#
# Seen with confluent-kafka 2.16.1 (librdkafka 2.16.0).
# On it depends: crates/embedded/src/broker/relay.rs, which names a broker instead.
#
# Usage: librdkafka-mock-controller.sh [VERSION of confluent-kafka]. Needs Python's venv.
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
import time

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

TIMEOUT = 8

cluster = Producer({"test.mock.num.brokers": 2, "log_level": 3})
metadata = cluster.list_topics(timeout=30)
brokers = sorted(metadata.brokers)
broker = metadata.brokers[brokers[0]]
admin = AdminClient({"bootstrap.servers": f"{broker.host}:{broker.port}", "log_level": 3})
assert admin.list_topics(timeout=30).brokers, "no broker answers"

began = time.monotonic()
made = admin.create_topics([NewTopic("events", 1, 1)], operation_timeout=1, request_timeout=TIMEOUT)
try:
    made["events"].result(60)
    outcome = "made"
except KafkaException as error:
    outcome = error.args[0].name()
waited = time.monotonic() - began

print(f"confluent-kafka {confluent_kafka.__version__}, librdkafka {confluent_kafka.libversion()[0]}")
print(f"brokers {brokers}; guess: the controller is one of them, and says at once whether it makes a topic")
print(f"seen:  controller {metadata.controller_id}; {outcome} after {waited:.0f} of {TIMEOUT} s")
same = metadata.controller_id not in brokers and outcome == "_TIMED_OUT" and waited > TIMEOUT - 1
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
