// Publishes records with franz-go, and reads them in a group that goes on where it committed.
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

	"github.com/twmb/franz-go/pkg/kgo"
)

var servers, topic = os.Args[1], os.Args[2]

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, numbers := range [][2]int{{0, 20}, {20, 25}} {
		var values []string
		for number := numbers[0]; number < numbers[1]; number++ {
			values = append(values, fmt.Sprint("record ", number))
		}
		publish(ctx, values)
		found := read(ctx, len(values))
		slices.Sort(values)
		slices.Sort(found)
		if !slices.Equal(found, values) {
			log.Fatalf("published %v, read %v", values, found)
		}
	}
}

func publish(ctx context.Context, values []string) {
	client := must(kgo.NewClient(kgo.SeedBrokers(servers)))
	defer client.Close()
	for _, value := range values {
		record := kgo.StringRecord(value)
		record.Topic = topic
		record.Headers = []kgo.RecordHeader{{Key: "name", Value: []byte("value")}}
		must(client.ProduceSync(ctx, record).First())
	}
}

func read(ctx context.Context, count int) (found []string) {
	client := must(kgo.NewClient(
		kgo.SeedBrokers(servers),
		kgo.ConsumerGroup("readers"),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		// The embedded broker waits nearly this long once a member has left.
		kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(time.Second),
	))
	defer client.Close()
	for len(found) < count && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			found = append(found, string(record.Value))
		})
	}
	must(0, client.CommitUncommittedOffsets(ctx))
	return found
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
