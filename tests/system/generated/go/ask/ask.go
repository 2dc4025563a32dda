// Package ask holds what both Go programs share: the questions that they read, and the answers that they write.
package ask

import (
	"encoding/json"
	"log"
	"os"
)

// Input is where to ask, and the questions.
type Input struct {
	BaseURL   string     `json:"base_url"`
	Key       string     `json:"key"`
	Questions []Question `json:"questions"`
}

// Question names an endpoint and its parameters.
type Question struct {
	Org        string     `json:"org"`
	Endpoint   string     `json:"endpoint"`
	Parameters Parameters `json:"parameters"`
}

// Parameters by name, as they stand in an address.
type Parameters map[string]string

// Answer is a status, and what the client's models hold, written back as JSON; or why they refused it.
type Answer struct {
	Status  int    `json:"status"`
	Answer  any    `json:"answer,omitempty"`
	Refused string `json:"refused,omitempty"`
}

// Run answers the questions of standard input on standard output.
func Run(client func(Input) func(Question) Answer) {
	var input Input
	Must(json.NewDecoder(os.Stdin).Decode(&input))
	ask := client(input)
	answers := []Answer{}
	for _, question := range input.Questions {
		answers = append(answers, ask(question))
	}
	Must(json.NewEncoder(os.Stdout).Encode(answers))
}

// Optional reads a parameter that may be absent.
func Optional[T any](parameters Parameters, name string, read func(string) T) *T {
	text, found := parameters[name]
	if !found {
		return nil
	}
	value := read(text)
	return &value
}

// Must ends the program at an error.
func Must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
