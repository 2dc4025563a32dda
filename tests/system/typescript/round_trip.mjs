// Publishes records with kafkajs, and reads them in a group that goes on where it committed.
//
// Its arguments: the brokers, a topic that is empty.

import { Kafka, logLevel } from "kafkajs";

const [servers, topic] = process.argv.slice(2);
const kafka = new Kafka({ brokers: [servers], logLevel: logLevel.ERROR });

async function publish(values) {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: values.map((value) => ({ value, headers: { name: "value" } })) });
  await producer.disconnect();
}

async function read(count) {
  // The embedded broker waits nearly as long as the session once a member has left.
  const consumer = kafka.consumer({ groupId: "readers", sessionTimeout: 6000, heartbeatInterval: 1000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found = [];
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`only ${found.length} of ${count} records`)), 60_000).unref();
    const eachMessage = async ({ message }) => {
      found.push(message.value.toString());
      if (found.length === count) resolve();
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  // It commits what it has read.
  await consumer.disconnect();
  return found;
}

for (const [from, to] of [[0, 20], [20, 25]]) {
  const values = Array.from({ length: to - from }, (_, index) => `record ${from + index}`);
  await publish(values);
  const found = await read(values.length);
  if (JSON.stringify(found.sort()) !== JSON.stringify(values.sort())) {
    throw new Error(`published ${values}, read ${found}`);
  }
}
