// Asks the three endpoints with the client that ogen makes of the description.
package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"rollcall.test/generated/ask"
	"rollcall.test/generated/ogen/client"
)

// key is the API key, as the client asks for it.
type key string

func (key key) PlatformApiKeyAuthentication(
	context.Context, client.OperationName,
) (client.PlatformApiKeyAuthentication, error) {
	return client.PlatformApiKeyAuthentication{APIKey: "Api-Token " + string(key)}, nil
}

func main() {
	ask.Run(func(input ask.Input) func(ask.Question) ask.Answer {
		api, err := client.NewClient(input.BaseURL, key(input.Key))
		ask.Must(err)
		return func(question ask.Question) ask.Answer {
			found, err := answer(api, question)
			if err != nil {
				return ask.Answer{Status: http.StatusOK, Refused: err.Error()}
			}
			return written(found)
		}
	})
}

func answer(api *client.Client, question ask.Question) (any, error) {
	ctx, given := context.Background(), question.Parameters
	switch question.Endpoint {
	case "transcripts/":
		params := client.AiAnalyticsOrgsUsersTranscriptsListParams{Org: question.Org, UserID: "me"}
		set(&params.StartDate, given, "start_date", day)
		set(&params.EndDate, given, "end_date", day)
		set(&params.Mentor, given, "mentor", text[string])
		set(&params.Topics, given, "topics", text[string])
		set(&params.Page, given, "page", number)
		set(&params.PageSize, given, "page_size", number)
		return api.AiAnalyticsOrgsUsersTranscriptsList(ctx, params)
	case "usage-summary/":
		params := client.AiAnalyticsOrgsUsersUsageSummaryListParams{
			Org: question.Org, UserID: "me", StartDate: day(given["start_date"]), EndDate: day(given["end_date"]),
		}
		set(&params.GroupBy, given, "group_by", text[client.AiAnalyticsOrgsUsersUsageSummaryListGroupBy])
		return api.AiAnalyticsOrgsUsersUsageSummaryList(ctx, params)
	default:
		params := client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveParams{
			Org: question.Org, UserID: "me", StartDate: day(given["start_date"]), EndDate: day(given["end_date"]),
		}
		set(&params.Aggregation, given, "aggregation", text[client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveAggregation])
		set(&params.NewUsersBy, given, "new_users_by", text[client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveNewUsersBy])
		set(&params.MentorID, given, "mentor_id", text[string])
		return api.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieve(ctx, params)
	}
}

// transcript has the fields of the model without its MarshalJSON, which leaves out the fractions of seconds that it holds.
type transcript client.Transcript

// written returns the status that a model stands for, and the model.
func written(found any) ask.Answer {
	switch found := found.(type) {
	case *client.AiAnalyticsOrgsUsersTranscriptsListOKApplicationJSONHeaders:
		transcripts := []transcript{}
		for _, each := range found.Response {
			transcripts = append(transcripts, transcript(each))
		}
		return ask.Answer{Status: http.StatusOK, Answer: transcripts}
	case *client.AiAnalyticsOrgsUsersUsageSummaryListOKApplicationJSON, *client.Cohorts:
		return ask.Answer{Status: http.StatusOK, Answer: found}
	case *client.AiAnalyticsOrgsUsersUsageSummaryListApplicationJSONBadRequest:
		return ask.Answer{Status: http.StatusBadRequest, Answer: found}
	case *client.AiAnalyticsOrgsUsersUsageSummaryListApplicationJSONUnauthorized:
		return ask.Answer{Status: http.StatusUnauthorized, Answer: found}
	case *client.AiAnalyticsOrgsUsersUsageSummaryListApplicationJSONForbidden:
		return ask.Answer{Status: http.StatusForbidden, Answer: found}
	case *client.AiAnalyticsOrgsUsersUsageSummaryListApplicationJSONNotFound:
		return ask.Answer{Status: http.StatusNotFound, Answer: found}
	}
	return ask.Answer{Status: http.StatusNotImplemented, Answer: found}
}

// settable is one of ogen's types of an optional value.
type settable[T any] interface{ SetTo(T) }

func set[T any](parameter settable[T], given ask.Parameters, name string, read func(string) T) {
	if value := ask.Optional(given, name, read); value != nil {
		parameter.SetTo(*value)
	}
}

func text[T ~string](given string) T { return T(given) }

func number(given string) int {
	value, err := strconv.Atoi(given)
	ask.Must(err)
	return value
}

func day(given string) time.Time {
	value, err := time.Parse(time.DateOnly, given)
	ask.Must(err)
	return value
}
