"""Publishes records with librdkafka through its published Python binding.

Reads one JSON object: the brokers, the topic, and the records, whose values are text. Fails unless the broker
acknowledges every one of them.
"""

import json
import sys

from confluent_kafka import Producer


def main():
    asked = json.load(sys.stdin)
    producer = Producer({"bootstrap.servers": asked["bootstrap_servers"], "compression.type": "lz4"})
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(str(error))

    for record in asked["records"]:
        headers = [(name, value.encode()) for name, value in record["headers"]]
        producer.produce(
            asked["topic"],
            key=record["key"],
            value=record["value"].encode(),
            headers=headers,
            on_delivery=delivered,
        )
        producer.poll(0)
    left = producer.flush(60)
    if failures or left:
        sys.exit(f"{len(failures)} refused, {left} without an answer: {failures[:1]}")


main()
