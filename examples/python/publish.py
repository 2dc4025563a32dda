"""Publishes chat events to Rollcall: two users, a conversation of one of them with a mentor, and what it was about."""

import os
import sys
from datetime import UTC, datetime

from cloudevents.core.bindings.kafka import to_binary_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer

TOPIC = "chat.events"
ORG = "acme"
CONVERSATION = "0855d97f-6033-411a-b1ae-d8cb596c412a"
MENTOR = "euclid"

producer = Producer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        "acks": "all",
        "enable.idempotence": True,
        "delivery.timeout.ms": 30_000,
    }
)
failures = []


def delivered(error, _message):
    if error is not None:
        failures.append(error)


def publish(event_type, event_id, time, user_id, data):
    """Publishes an event. Its id and time come from what happened, so that sending it again is no new event."""
    attributes = {
        "id": event_id,
        "source": "/tutor",
        "type": event_type,
        "time": time,
        "datacontenttype": "application/json",
        "org": ORG,
        "partitionkey": f"{ORG}:{user_id}",
    }
    message = to_binary_event(CloudEvent(attributes, data))
    headers = list(message.headers.items())
    producer.produce(TOPIC, message.value, message.key, headers=headers, on_delivery=delivered)
    producer.poll(0)


def user_registered(user_id, time):
    data = {"user_id": user_id, "registered_at": time.isoformat()}
    publish("chat.user.registered.v1", f"registered:{user_id}", time, user_id, data)


def message_created(message_id, time, role, user_id, content, **model):
    data = {
        "message_id": message_id,
        "conversation_id": CONVERSATION,
        "role": role,
        "user_id": user_id,
        "mentor_id": MENTOR,
        "content": content,
        **model,
    }
    publish("chat.message.created.v1", message_id, time, user_id, data)


def conversation_annotated(time, user_id, topics, user_sentiment):
    data = {
        "conversation_id": CONVERSATION,
        "topics": [{"name": name} for name in topics],
        "user_sentiment": user_sentiment,
        "annotated_at": time.isoformat(),
    }
    publish("chat.conversation.annotated.v1", f"annotated:{CONVERSATION}:1", time, user_id, data)


def at(day, hour, minute, second=0, millisecond=0):
    return datetime(2025, 3, day, hour, minute, second, millisecond * 1000, UTC)


user_registered("ada", at(1, 8, 0))
user_registered("emmy", at(3, 9, 0))
question, answer = "6fe84ac9-a1e4-4e1f-a0c4-78680fcadee1", "c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02"
message_created(question, at(3, 9, 30, 0, 120), "user", "ada", "Is (ℤ, +) a group?")
message_created(answer, at(3, 9, 30, 4, 500), "assistant", "ada", "Yes, an abelian one.", model="tutor-1")
conversation_annotated(at(3, 10, 0), "ada", ["group theory", "algebra"], "positive")

# Everything that was published is acknowledged by now, or has failed.
producer.flush()
if failures:
    sys.exit(f"{len(failures)} events were not published: {failures[0]}")
