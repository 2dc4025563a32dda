import static java.util.Map.entry;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.core.data.PojoCloudEventData;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Publishes chat events to Rollcall: two users, a conversation of one of them with a mentor, and what it was about. */
public final class Publish implements AutoCloseable {
    private static final String TOPIC = "chat.events";
    private static final String ORG = "acme";
    private static final String CONVERSATION = "0855d97f-6033-411a-b1ae-d8cb596c412a";
    private static final String MENTOR = "euclid";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KafkaProducer<String, CloudEvent> producer;
    private final List<Future<?>> deliveries = new ArrayList<>();

    private Publish(String servers) {
        Map<String, Object> config = Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, servers,
            ProducerConfig.ACKS_CONFIG, "all",
            ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true,
            ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000,
            ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000,
            ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
        producer = new KafkaProducer<>(config, new StringSerializer(), new CloudEventSerializer());
    }

    /** Publishes an event. Its id and time come from what happened, so that sending it again is no new event. */
    private void publish(String type, String id, Instant time, String userId, Map<String, ?> data) throws Exception {
        CloudEvent event = CloudEventBuilder.v1()
            .withId(id)
            .withSource(URI.create("/tutor"))
            .withType(type)
            .withTime(time.atOffset(ZoneOffset.UTC))
            .withExtension("org", ORG)
            .withData("application/json", PojoCloudEventData.wrap(data, JSON::writeValueAsBytes))
            .build();
        Future<?> delivery = producer.send(new ProducerRecord<>(TOPIC, ORG + ":" + userId, event));
        if (delivery.isDone()) {
            // Without a broker, each further event would wait as long as this one.
            delivery.get();
        }
        deliveries.add(delivery);
    }

    private void userRegistered(String userId, Instant time) throws Exception {
        Map<String, ?> data = Map.of("user_id", userId, "registered_at", time.toString());
        publish("chat.user.registered.v1", "registered:" + userId, time, userId, data);
    }

    private void messageCreated(
            String id, Instant time, String role, String userId, String content, String model) throws Exception {
        Map<String, Object> data = new LinkedHashMap<>(Map.ofEntries(
            entry("message_id", id),
            entry("conversation_id", CONVERSATION),
            entry("role", role),
            entry("user_id", userId),
            entry("mentor_id", MENTOR),
            entry("content", content)));
        if (model != null) {
            data.put("model", model);
        }
        publish("chat.message.created.v1", id, time, userId, data);
    }

    private void conversationAnnotated(
            Instant time, String userId, List<String> topics, String sentiment) throws Exception {
        Map<String, ?> data = Map.of(
            "conversation_id", CONVERSATION,
            "topics", topics.stream().map(name -> Map.of("name", name)).toList(),
            "user_sentiment", sentiment,
            "annotated_at", time.toString());
        publish("chat.conversation.annotated.v1", "annotated:" + CONVERSATION + ":1", time, userId, data);
    }

    /** Waits until all replicas in sync have every event. Fails if one was not delivered. */
    private void flush() throws Exception {
        producer.flush();
        for (Future<?> delivery : deliveries) {
            delivery.get();
        }
    }

    @Override
    public void close() {
        producer.close();
    }

    private static Instant at(String time) {
        return Instant.parse("2025-03-" + time + "Z");
    }

    public static void main(String[] args) throws Exception {
        String servers = System.getenv().getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092");
        try (Publish publish = new Publish(servers)) {
            publish.userRegistered("ada", at("01T08:00:00"));
            publish.userRegistered("emmy", at("03T09:00:00"));
            String question = "6fe84ac9-a1e4-4e1f-a0c4-78680fcadee1";
            publish.messageCreated(question, at("03T09:30:00.120"), "user", "ada", "Is (ℤ, +) a group?", null);
            String answer = "c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02";
            String content = "Yes, an abelian one.";
            publish.messageCreated(answer, at("03T09:30:04.500"), "assistant", "ada", content, "tutor-1");
            publish.conversationAnnotated(at("03T10:00:00"), "ada", List.of("group theory", "algebra"), "positive");
            publish.flush();
        }
    }
}
