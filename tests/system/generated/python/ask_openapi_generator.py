"""Asks the three endpoints with the client that OpenAPI Generator makes of the description.

Reads and writes the same as `ask.py`.
"""

import datetime
import json
import sys

import client
from client.api.ai_analytics_api import AiAnalyticsApi

# How each parameter is read; the others are texts.
TYPES = {
    "start_date": datetime.date.fromisoformat,
    "end_date": datetime.date.fromisoformat,
    "page": int,
    "page_size": int,
}


def plain(value):
    return [plain(item) for item in value] if isinstance(value, list) else json.loads(value.to_json())


def main():
    asked = json.load(sys.stdin)
    configuration = client.Configuration(
        host=asked["base_url"],
        api_key={"PlatformApiKeyAuthentication": asked["key"]},
        api_key_prefix={"PlatformApiKeyAuthentication": "Api-Token"},
    )
    answers = []
    with client.ApiClient(configuration) as connection:
        api = AiAnalyticsApi(connection)
        endpoints = {
            "transcripts/": api.ai_analytics_orgs_users_transcripts_list_with_http_info,
            "usage-summary/": api.ai_analytics_orgs_users_usage_summary_list_with_http_info,
            "user-cohorts-over-time/": api.ai_analytics_orgs_users_user_cohorts_over_time_retrieve_with_http_info,
        }
        for question in asked["questions"]:
            given = question["parameters"].items()
            parameters = {name: TYPES.get(name, str)(value) for name, value in given}
            try:
                response = endpoints[question["endpoint"]](org=question["org"], user_id="me", **parameters)
                answers.append({"status": response.status_code, "answer": plain(response.data)})
            except client.ApiException as error:
                answers.append({"status": error.status, "answer": plain(error.data)})
            except ValueError as error:
                answers.append({"status": 200, "refused": str(error)})
    json.dump(answers, sys.stdout)


main()
