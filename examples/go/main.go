// Publishes chat events to Rollcall: two users, a conversation of one of them with a mentor, and what it was about.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/cloudevents/sdk-go/protocol/kafka_sarama/v2"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

const (
	topic        = "chat.events"
	org          = "acme"
	conversation = "0855d97f-6033-411a-b1ae-d8cb596c412a"
	mentor       = "euclid"
)

type publisher struct{ client cloudevents.Client }

// publish returns once all replicas in sync have the event. Its id and time come from what happened, so that sending it
// again is no new event.
func (p publisher) publish(eventType, id string, at time.Time, userID string, data any) error {
	event := cloudevents.NewEvent()
	event.SetID(id)
	event.SetSource("/tutor")
	event.SetType(eventType)
	event.SetTime(at)
	event.SetExtension("org", org)
	event.SetExtension("partitionkey", org+":"+userID)
	if err := event.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return err
	}
	if result := p.client.Send(context.Background(), event); cloudevents.IsUndelivered(result) {
		return fmt.Errorf("event %s: %w", id, result)
	}
	return nil
}

func (p publisher) userRegistered(userID string, at time.Time) error {
	data := map[string]any{"user_id": userID, "registered_at": at}
	return p.publish("chat.user.registered.v1", "registered:"+userID, at, userID, data)
}

func (p publisher) messageCreated(id string, at time.Time, role, userID, content, model string) error {
	data := map[string]any{
		"message_id":      id,
		"conversation_id": conversation,
		"role":            role,
		"user_id":         userID,
		"mentor_id":       mentor,
		"content":         content,
	}
	if model != "" {
		data["model"] = model
	}
	return p.publish("chat.message.created.v1", id, at, userID, data)
}

func (p publisher) conversationAnnotated(at time.Time, userID string, topics []string, sentiment string) error {
	var named []map[string]string
	for _, name := range topics {
		named = append(named, map[string]string{"name": name})
	}
	data := map[string]any{
		"conversation_id": conversation,
		"topics":          named,
		"user_sentiment":  sentiment,
		"annotated_at":    at,
	}
	return p.publish("chat.conversation.annotated.v1", "annotated:"+conversation+":1", at, userID, data)
}

func at(day, hour, minute, second, millisecond int) time.Time {
	return time.Date(2025, time.March, day, hour, minute, second, millisecond*1_000_000, time.UTC)
}

func main() {
	servers := os.Getenv("KAFKA_BOOTSTRAP_SERVERS")
	if servers == "" {
		servers = "localhost:9092"
	}
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1 // Sarama's condition for idempotence
	sender, err := kafka_sarama.NewSender(strings.Split(servers, ","), config, topic)
	check(err)
	client, err := cloudevents.NewClient(sender)
	check(err)
	p := publisher{client}

	check(p.userRegistered("ada", at(1, 8, 0, 0, 0)))
	check(p.userRegistered("emmy", at(3, 9, 0, 0, 0)))
	check(p.messageCreated("6fe84ac9-a1e4-4e1f-a0c4-78680fcadee1", at(3, 9, 30, 0, 120), "user", "ada",
		"Is (ℤ, +) a group?", ""))
	check(p.messageCreated("c0e1f1c5-7a3e-4c39-9a51-5b1a3c9b7d02", at(3, 9, 30, 4, 500), "assistant", "ada",
		"Yes, an abelian one.", "tutor-1"))
	check(p.conversationAnnotated(at(3, 10, 0, 0, 0), "ada", []string{"group theory", "algebra"}, "positive"))
	check(sender.Close(context.Background()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
