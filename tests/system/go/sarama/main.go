// Publishes records with sarama, and reads them in a group that goes on where it committed.
//
// Its arguments: the brokers, a topic that is empty.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

var servers, topic = []string{os.Args[1]}, os.Args[2]

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, numbers := range [][2]int{{0, 20}, {20, 25}} {
		var values []string
		for number := numbers[0]; number < numbers[1]; number++ {
			values = append(values, fmt.Sprint("record ", number))
		}
		publish(values)
		found := read(ctx, len(values))
		slices.Sort(values)
		slices.Sort(found)
		if !slices.Equal(found, values) {
			log.Fatalf("published %v, read %v", values, found)
		}
	}
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	// The embedded broker waits nearly this long once a member has left.
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = time.Second
	return config
}

func publish(values []string) {
	producer := must(sarama.NewSyncProducer(servers, config()))
	for _, value := range values {
		headers := []sarama.RecordHeader{{Key: []byte("name"), Value: []byte("value")}}
		message := &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value), Headers: headers}
		_, _, err := producer.SendMessage(message)
		must(0, err)
	}
	must(0, producer.Close())
}

func read(ctx context.Context, count int) (found []string) {
	group := must(sarama.NewConsumerGroup(servers, "readers", config()))
	values, ended := make(chan string), make(chan error)
	reading, stop := context.WithCancel(ctx)
	go func() { ended <- group.Consume(reading, []string{topic}, handler(values)) }()
	for len(found) < count {
		select {
		case value := <-values:
			found = append(found, value)
		case err := <-ended:
			log.Fatalf("only %d of %d records: %v", len(found), count, err)
		}
	}
	// What is read is committed when the session ends.
	stop()
	must(0, <-ended)
	must(0, group.Close())
	return found
}

type handler chan string

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (values handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			session.MarkMessage(message, "")
			select {
			case values <- string(message.Value):
			case <-session.Context().Done():
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
