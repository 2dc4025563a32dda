// Publishes chat events to Rollcall: two users, a conversation of one of them with a mentor, and what it was about.

import { CloudEvent, Kafka as binding } from "cloudevents";
import { Kafka, Partitioners, type Message } from "kafkajs";

const TOPIC = "chat.events";
const ORG = "acme";
const CONVERSATION = "0855d97f-6033-411a-b1ae-d8cb596c412a";
const MENTOR = "euclid";

type Role = "user" | "assistant" | "system" | "tool";
type Sentiment = "positive" | "negative" | "neutral";

/** A record of an event. Its id and time come from what happened, so that sending it again is no new event. */
function record(type: string, id: string, time: Date, userId: string, data: object): Message {
  const event = new CloudEvent({
    id,
    source: "/tutor",
    type,
    time: time.toISOString(),
    org: ORG,
    partitionkey: `${ORG}:${userId}`,
    data,
  });
  const { key, value, headers } = binding.structured<object>(event);
  return { key, value: String(value), headers: headers as Message["headers"] };
}

function userRegistered(userId: string, time: Date): Message {
  const data = { user_id: userId, registered_at: time.toISOString() };
  return record("chat.user.registered.v1", `registered:${userId}`, time, userId, data);
}

function messageCreated(id: string, time: Date, role: Role, userId: string, content: string, model?: string): Message {
  const data = {
    message_id: id,
    conversation_id: CONVERSATION,
    role,
    user_id: userId,
    mentor_id: MENTOR,
    content,
    model,
  };
  return record("chat.message.created.v1", id, time, userId, data);
}

function conversationAnnotated(time: Date, userId: string, topics: string[], sentiment: Sentiment): Message {
  const data = {
    conversation_id: CONVERSATION,
    topics: topics.map((name) => ({ name })),
    user_sentiment: sentiment,
    annotated_at: time.toISOString(),
  };
  return record("chat.conversation.annotated.v1", `annotated:${CONVERSATION}:1`, time, userId, data);
}

const at = (time: string) => new Date(`2025-03-${time}Z`);

const [question, answer] = ["6fe84ac9-a1e4-4e1f-a0c4-78680fcadee1", "c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02"];
const messages = [
  userRegistered("ada", at("01T08:00")),
  userRegistered("emmy", at("03T09:00")),
  messageCreated(question, at("03T09:30:00.120"), "user", "ada", "Is (ℤ, +) a group?"),
  messageCreated(answer, at("03T09:30:04.500"), "assistant", "ada", "Yes, an abelian one.", "tutor-1"),
  conversationAnnotated(at("03T10:00"), "ada", ["group theory", "algebra"], "positive"),
];

const brokers = (process.env.KAFKA_BOOTSTRAP_SERVERS ?? "localhost:9092").split(",");
const producer = new Kafka({ clientId: "tutor", brokers }).producer({
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: Partitioners.DefaultPartitioner,
});
await producer.connect();
try {
  // Fails unless all replicas in sync have every record.
  await producer.send({ topic: TOPIC, acks: -1, messages });
} finally {
  await producer.disconnect();
}
