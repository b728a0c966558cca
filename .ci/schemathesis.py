"""What the fuzz of the OpenAPI document needs to know beyond the document. Loaded by .ci/fuzz.mjs."""

import json
import re

import schemathesis

LONGEST_WAIT_MS = 20
# Refused everywhere, and a JSON schema cannot say so of free JSON.
REFUSED_KEY = re.compile(r"\b(__proto__|constructor|prototype)\b")
# What a link of a chain must not make up: a chain begins with something that can be created, and goes on with that.
REFERENCES = ("assigned_agent", "parent_workflow_id", "dependencies")
PROJECT = ("project_id", "X-Project-Id")


@schemathesis.hook
def before_call(context, case, kwargs):
    # A run is to be as long as its work: 25 s of waiting are as valid as 20 ms. In a query it may be text.
    for holder in (case.query, case.body):
        wait = holder.get("wait_ms") if hasattr(holder, "get") else None
        if re.fullmatch(r"[0-9]{1,5}", str(wait)) and LONGEST_WAIT_MS < int(wait) <= 25_000:
            holder["wait_ms"] = type(wait)(LONGEST_WAIT_MS)
    if case.meta is not None and case.meta.phase.name.name == "STATEFUL":
        forget(case.body, REFERENCES)
        forget(case.query, PROJECT)
        forget(case.headers, PROJECT)


def forget(holder, names):
    if not hasattr(holder, "pop"):
        return
    for name in names:
        holder.pop(name, None)
    for item in [item for key in ("tasks", "stages") for item in holder.get(key) or []]:
        forget(item, names)


@schemathesis.hook
def filter_body(context, body):
    return not REFUSED_KEY.search(json.dumps(body, default=str))
