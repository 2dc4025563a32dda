"""Asks the three endpoints with the published Python client, and returns what its models read from the answers.

Reads one JSON object: where to ask, and the questions. Writes one JSON array: the status of each answer and what the
models read, written back as JSON; or, for an error, its body; or why the models refused the answer.
"""

import datetime
import json
import sys

import iblai
from iblai.api.ai_analytics_api import AiAnalyticsApi

MODELS = {
    "transcripts/": "List[ConversationMessage]",
    "usage-summary/": "List[UserCountRecord]",
    "user-cohorts-over-time/": "UserTrendByPeriod",
}


def instant(value):
    """An instant as the API writes it: with milliseconds where the field has them."""
    assert value.utcoffset() == datetime.timedelta(0), value
    return value.replace(tzinfo=None)


def plain(value):
    """The content of a model, with instants and days as the API writes them."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, iblai.ConversationMessage):
        fields = value.model_dump(by_alias=True)
        return fields | {"inserted_at": instant(value.inserted_at).isoformat(timespec="milliseconds") + "Z"}
    if isinstance(value, iblai.UserCountRecord):
        return {"date": value.var_date.isoformat(), "user_count": value.user_count}
    if isinstance(value, iblai.UserTrendByPeriod):
        fields = value.model_dump(by_alias=True)
        return fields | {"periods": [instant(period).isoformat() + "Z" for period in value.periods]}
    raise TypeError(type(value))


def main():
    asked = json.load(sys.stdin)
    configuration = iblai.Configuration(
        host=asked["base_url"],
        api_key={"PlatformApiKeyAuthentication": asked["key"]},
        api_key_prefix={"PlatformApiKeyAuthentication": "Api-Token"},
    )
    answers = []
    with iblai.ApiClient(configuration) as client:
        api = AiAnalyticsApi(client)
        methods = {
            "transcripts/": api.ai_analytics_orgs_users_transcripts_list,
            "usage-summary/": api.ai_analytics_orgs_users_usage_summary_list,
            "user-cohorts-over-time/": api.ai_analytics_orgs_users_user_cohorts_over_time_retrieve,
        }
        for question in asked["questions"]:
            endpoint = question["endpoint"]
            response = methods[endpoint](org=question["org"], user_id="me", **question["parameters"])
            text = response.data.decode()
            answer = {"status": response.status}
            if response.status == 200:
                try:
                    content_type = response.getheader("content-type")
                    answer["answer"] = plain(client.deserialize(text, MODELS[endpoint], content_type))
                except ValueError as error:
                    answer["refused"] = str(error)
            else:
                answer["answer"] = json.loads(text)
            answers.append(answer)
    json.dump(answers, sys.stdout)


main()
