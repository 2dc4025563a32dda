import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes records with Java's clients, and reads them in a group that goes on where it committed.
 *
 * <p>Its arguments: the brokers, a topic that is empty.
 */
final class RoundTrip {
  private static final long DEADLINE_MS = 60_000;

  public static void main(String[] arguments) throws Exception {
    String servers = arguments[0];
    String topic = arguments[1];
    for (IntStream numbers : List.of(IntStream.range(0, 20), IntStream.range(20, 25))) {
      List<String> values = numbers.mapToObj(number -> "record " + number).sorted().toList();
      publish(servers, topic, values);
      List<String> found = read(servers, topic, values.size());
      if (!found.equals(values)) {
        throw new IllegalStateException("published " + values + ", read " + found);
      }
    }
  }

  private static void publish(String servers, String topic, List<String> values) throws Exception {
    Map<String, Object> settings = Map.of("bootstrap.servers", servers);
    try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (String value : values) {
        var message = new ProducerRecord<String, String>(topic, value);
        message.headers().add("name", "value".getBytes());
        sent.add(producer.send(message));
      }
      for (Future<RecordMetadata> one : sent) {
        one.get();
      }
    }
  }

  private static List<String> read(String servers, String topic, int count) {
    Map<String, Object> settings =
        Map.of(
            "bootstrap.servers", servers,
            "group.id", "readers",
            "auto.offset.reset", "earliest",
            "enable.auto.commit", "false",
            // The embedded broker waits nearly this long once a member has left.
            "session.timeout.ms", "6000",
            "heartbeat.interval.ms", "1000");
    List<String> found = new ArrayList<>();
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(topic));
      long deadline = System.currentTimeMillis() + DEADLINE_MS;
      while (found.size() < count && System.currentTimeMillis() < deadline) {
        for (ConsumerRecord<String, String> message : consumer.poll(Duration.ofMillis(100))) {
          found.add(message.value());
        }
      }
      consumer.commitSync();
    }
    Collections.sort(found);
    return found;
  }
}
