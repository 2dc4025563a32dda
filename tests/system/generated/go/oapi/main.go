// Asks the three endpoints with the client that oapi-codegen makes of the description.
package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/oapi-codegen/runtime/types"
	"rollcall.test/generated/ask"
	"rollcall.test/generated/oapi/client"
)

func main() {
	ask.Run(func(input ask.Input) func(ask.Question) ask.Answer {
		key := client.WithRequestEditorFn(func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Api-Token "+input.Key)
			return nil
		})
		api, err := client.NewClientWithResponses(input.BaseURL, key)
		ask.Must(err)
		return func(question ask.Question) ask.Answer { return answer(api, question) }
	})
}

func answer(api *client.ClientWithResponses, question ask.Question) ask.Answer {
	ctx, given := context.Background(), question.Parameters
	switch question.Endpoint {
	case "transcripts/":
		response, err := api.AiAnalyticsOrgsUsersTranscriptsListWithResponse(ctx, question.Org, "me",
			&client.AiAnalyticsOrgsUsersTranscriptsListParams{
				StartDate: ask.Optional(given, "start_date", day),
				EndDate:   ask.Optional(given, "end_date", day),
				Mentor:    ask.Optional(given, "mentor", text[string]),
				Topics:    ask.Optional(given, "topics", text[string]),
				Page:      ask.Optional(given, "page", number),
				PageSize:  ask.Optional(given, "page_size", number),
			})
		if err != nil {
			return ask.Answer{Status: http.StatusOK, Refused: err.Error()}
		}
		return of(response.StatusCode(), response.JSON200)
	case "usage-summary/":
		response, err := api.AiAnalyticsOrgsUsersUsageSummaryListWithResponse(ctx, question.Org, "me",
			&client.AiAnalyticsOrgsUsersUsageSummaryListParams{
				StartDate: day(given["start_date"]),
				EndDate:   day(given["end_date"]),
				GroupBy:   ask.Optional(given, "group_by", text[client.AiAnalyticsOrgsUsersUsageSummaryListParamsGroupBy]),
			})
		if err != nil {
			return ask.Answer{Status: http.StatusOK, Refused: err.Error()}
		}
		return of(response.StatusCode(), response.JSON200,
			response.JSON400, response.JSON401, response.JSON403, response.JSON404)
	default:
		response, err := api.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveWithResponse(ctx, question.Org, "me",
			&client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveParams{
				StartDate:   day(given["start_date"]),
				EndDate:     day(given["end_date"]),
				Aggregation: ask.Optional(given, "aggregation", text[client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveParamsAggregation]),
				NewUsersBy:  ask.Optional(given, "new_users_by", text[client.AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveParamsNewUsersBy]),
				MentorId:    ask.Optional(given, "mentor_id", text[string]),
			})
		if err != nil {
			return ask.Answer{Status: http.StatusOK, Refused: err.Error()}
		}
		return of(response.StatusCode(), response.JSON200)
	}
}

// of returns the model of a success, or that of an error.
func of[T any](status int, found *T, errors ...*client.ErrorBody) ask.Answer {
	if found != nil {
		return ask.Answer{Status: status, Answer: *found}
	}
	for _, body := range errors {
		if body != nil {
			return ask.Answer{Status: status, Answer: *body}
		}
	}
	return ask.Answer{Status: status}
}

func text[T ~string](given string) T { return T(given) }

func number(given string) int {
	value, err := strconv.Atoi(given)
	ask.Must(err)
	return value
}

func day(given string) types.Date {
	value, err := time.Parse(time.DateOnly, given)
	ask.Must(err)
	return types.Date{Time: value}
}
