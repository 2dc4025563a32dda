"""Asks the three endpoints with the client that openapi-python-client makes of the description.

Reads one JSON object: where to ask, and the questions. Writes one JSON array: the status of each answer and what the
client's models hold, written back as JSON; or why they refused the answer.
"""

import datetime
import json
import sys
from collections.abc import Callable
from typing import Any

from client import AuthenticatedClient
from client.api.ai_analytics import (
    ai_analytics_orgs_users_transcripts_list as transcripts,
    ai_analytics_orgs_users_usage_summary_list as usage_summary,
    ai_analytics_orgs_users_user_cohorts_over_time_retrieve as user_cohorts,
)
from client.models.ai_analytics_orgs_users_usage_summary_list_group_by import (
    AiAnalyticsOrgsUsersUsageSummaryListGroupBy as GroupBy,
)
from client.models.ai_analytics_orgs_users_user_cohorts_over_time_retrieve_aggregation import (
    AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveAggregation as Aggregation,
)
from client.models.ai_analytics_orgs_users_user_cohorts_over_time_retrieve_new_users_by import (
    AiAnalyticsOrgsUsersUserCohortsOverTimeRetrieveNewUsersBy as NewUsersBy,
)

ENDPOINTS: dict[str, Any] = {
    "transcripts/": transcripts,
    "usage-summary/": usage_summary,
    "user-cohorts-over-time/": user_cohorts,
}
# How each parameter is read; the others are texts.
TYPES: dict[str, Callable[[str], Any]] = {
    "start_date": datetime.date.fromisoformat,
    "end_date": datetime.date.fromisoformat,
    "page": int,
    "page_size": int,
    "group_by": GroupBy,
    "aggregation": Aggregation,
    "new_users_by": NewUsersBy,
}


def plain(value: Any) -> Any:
    return [plain(item) for item in value] if isinstance(value, list) else value.to_dict()


def main() -> None:
    asked = json.load(sys.stdin)
    client = AuthenticatedClient(
        base_url=asked["base_url"], token=asked["key"], prefix="Api-Token", raise_on_unexpected_status=True
    )
    answers = []
    for question in asked["questions"]:
        given = question["parameters"].items()
        parameters = {name: TYPES.get(name, str)(value) for name, value in given}
        ask = ENDPOINTS[question["endpoint"]].sync_detailed
        try:
            response = ask(question["org"], "me", client=client, **parameters)
            # It sends the defaults that a description has, and there is none of a page that nobody asked for.
            assert ("x-total-count" in response.headers) == ("page" in parameters), response.headers
            answers.append({"status": response.status_code, "answer": plain(response.parsed)})
        except (KeyError, TypeError, ValueError) as error:
            answers.append({"status": 200, "refused": repr(error)})
    json.dump(answers, sys.stdout)


main()
