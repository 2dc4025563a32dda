"""Publishes records with one of Python's clients, and reads them in a group that goes on where it committed.

Its arguments: the client, the brokers, a topic that is empty.
"""

import asyncio
import sys
import time

GROUP = "readers"
# The embedded broker waits nearly this long once a member has left.
SESSION_MS = 6_000
HEARTBEAT_MS = 1_000
DEADLINE_S = 60
# Of the names that kafka-python and aiokafka have in common.
READING = {
    "group_id": GROUP,
    "auto_offset_reset": "earliest",
    "enable_auto_commit": False,
    "session_timeout_ms": SESSION_MS,
    "heartbeat_interval_ms": HEARTBEAT_MS,
}


class KafkaPython:
    def publish(self, servers, topic, values):
        from kafka import KafkaProducer

        producer = KafkaProducer(bootstrap_servers=servers)
        sent = [producer.send(topic, value, headers=[("name", b"value")]) for value in values]
        for one in sent:
            one.get(timeout=DEADLINE_S)
        producer.close()

    def read(self, servers, topic, count):
        from kafka import KafkaConsumer

        reading = {**READING, "consumer_timeout_ms": DEADLINE_S * 1000}
        consumer = KafkaConsumer(topic, bootstrap_servers=servers, **reading)
        found = [record.value for _, record in zip(range(count), consumer)]
        consumer.commit()
        consumer.close()
        return found


class Aiokafka:
    def publish(self, servers, topic, values):
        async def publish():
            from aiokafka import AIOKafkaProducer

            async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
                for value in values:
                    await producer.send_and_wait(topic, value, headers=[("name", b"value")])

        asyncio.run(asyncio.wait_for(publish(), DEADLINE_S))

    def read(self, servers, topic, count):
        async def read():
            from aiokafka import AIOKafkaConsumer

            async with AIOKafkaConsumer(topic, bootstrap_servers=servers, **READING) as consumer:
                found = [(await consumer.getone()).value for _ in range(count)]
                await consumer.commit()
                return found

        return asyncio.run(asyncio.wait_for(read(), DEADLINE_S))


class ConfluentKafka:
    def publish(self, servers, topic, values):
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
        for value in values:
            producer.produce(topic, value, headers=[("name", b"value")])
        if producer.flush(DEADLINE_S):
            sys.exit("not all records are acknowledged")

    def read(self, servers, topic, count):
        from confluent_kafka import Consumer

        settings = {
            "bootstrap.servers": servers,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "session.timeout.ms": SESSION_MS,
            "heartbeat.interval.ms": HEARTBEAT_MS,
        }
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        found, deadline = [], time.monotonic() + DEADLINE_S
        while len(found) < count and time.monotonic() < deadline:
            record = consumer.poll(0.1)
            if record is not None and record.error() is None:
                found.append(record.value())
        consumer.commit(asynchronous=False)
        consumer.close()
        return found


def main():
    name, servers, topic = sys.argv[1:]
    client = {"kafka-python": KafkaPython, "aiokafka": Aiokafka, "confluent-kafka": ConfluentKafka}[name]()
    for numbers in range(20), range(20, 25):
        values = [b"record %d" % number for number in numbers]
        client.publish(servers, topic, values)
        found = client.read(servers, topic, len(values))
        if sorted(found) != sorted(values):
            sys.exit(f"published {values}, read {found}")


main()
