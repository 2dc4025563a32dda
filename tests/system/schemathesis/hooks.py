"""Which failures that Schemathesis finds are no fault of the API: what its description cannot say.

Each is recognised by the request and by the answer, so that nothing else passes with it.
"""

import datetime

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import RejectedPositiveData

MAX_PERIODS = 10_000
# How long a period is at least, in days.
SHORTEST = {"hour": 1 / 24, "hourly": 1 / 24, "day": 1, "daily": 1, "week": 7, "weekly": 7, "month": 28, "monthly": 28}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    query = case.query or {}
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        return not contradicts(query, response.json()["detail"])
    if isinstance(failure, AcceptedNegativeData) and response.status_code == 200:
        return not breaks_by_blanks(query, case.meta.phase.data)
    return True


def contradicts(query, detail):
    """Whether parameters contradict each other as the answer says: OpenAPI describes each by itself."""
    if detail == "page and cursor exclude each other":
        return "page" in query and "cursor" in query
    days = (query.get("start_date"), query.get("end_date"))
    if None in days:
        return False
    start, end = map(datetime.date.fromisoformat, days)
    if detail == "start_date must not be after end_date":
        return start > end
    if detail.endswith("at most 10,000 are answered"):
        word = query.get("group_by") or query.get("aggregation") or "day"
        return (end - start).days + 1 > MAX_PERIODS * SHORTEST[word]
    return False


def breaks_by_blanks(query, changed):
    """Whether the only parameters that break the description are blank.

    The API takes a blank value for none. OpenAPI's word for that, `allowEmptyValue`, is deprecated, and utoipa does not
    write it.
    """
    names = {changed.parameter, *(mutation.parameter for mutation in changed.mutations)} - {None}
    return bool(names) and all(is_blank(query.get(name)) for name in names)


def is_blank(value):
    return isinstance(value, str) and not value.strip(" ")
