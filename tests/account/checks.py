"""The checks, as a table: what no emulator shows, how it is judged, what is expected. Each function returns what it found.

A difference counts everywhere. What is as expected outside of AWS proves nothing if an emulator does it by itself: such
checks have `aws_only`.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone

import requests
from botocore.exceptions import BotoCoreError, ClientError

from account import Account

EXPECTED, NOT_EXPECTED, CANNOT_TELL, PERSON = "as expected", "not as expected", "cannot tell here", "needs a person"

# One push to a repository with checks is a dozen deliveries at once.
PARALLEL = 12
# Bytes of JSON on both sides of what Lambda takes: an event of 6,291,456 bytes, in which each quote has two.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (read 2026-11-26)
ACCEPTED_SIZE, REFUSED_SIZE = 5_400_000, 5_700_000
# Seconds after which a line of the access log, and a new metric in the list of metrics, are certainly there.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html (read 2026-11-26)
LOG_DELAY, METRICS_DELAY = 300, 900


@dataclass(frozen=True)
class Result:
    verdict: str
    found: str
    why: str = ""


def judged(problems, found):
    """As expected if there is no problem; `found` then says what was seen."""
    return Result(NOT_EXPECTED, "; ".join(problems)) if problems else Result(EXPECTED, found)


@dataclass(frozen=True)
class Check:
    name: str
    what: str
    how: str
    expected: str
    run: Callable[[Account], Result]
    aws_only: bool = False
    # It sends or creates something, and so needs a yes.
    changes: bool = False

    def judge(self, account, allowed):
        if self.changes and not allowed:
            return Result(CANNOT_TELL, "not run", "run it with --yes")
        try:
            result = self.run(account)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return Result(CANNOT_TELL, f"{error.operation_name}: {code}", "the request was rejected; see docs/deployment.md")
        except (BotoCoreError, requests.RequestException) as error:
            return Result(CANNOT_TELL, type(error).__name__, "there was no response; check network and --base-url")
        except (KeyError, TypeError, ValueError) as error:
            # Without its text, which may contain what was read.
            return Result(NOT_EXPECTED, f"a response that lacks what is needed ({type(error).__name__})")
        if self.aws_only and result.verdict == EXPECTED and not account.is_aws:
            return Result(CANNOT_TELL, result.found, "an emulator does not prove it")
        return result


# ---------------------------------------------------------------------------------------------- Reading only


def policy(account):
    status = account.description["StackStatus"]
    wanted = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    return judged([] if status in wanted else [f"the stack is {status}"], f"deployed, {status}")


def stack_id(account):
    if "Queue" not in account.resources:
        return Result(CANNOT_TELL, "an existing queue", "the stack has made none")
    identifier = uuid.UUID(account.description["StackId"].rsplit("/", 1)[1])
    groups = str(identifier).split("-")
    name = account.outputs["QueueUrl"].rsplit("/", 1)[1]
    if name.removesuffix(".fifo") != f"{account.stack}-{groups[0]}{groups[3]}":
        return Result(NOT_EXPECTED, f"stack id {identifier}, queue {name}")
    if identifier.version != 1:
        verdict = NOT_EXPECTED if account.is_aws else CANNOT_TELL
        return Result(verdict, f"stack id of version {identifier.version}", "" if account.is_aws else "AWS's are of version 1")
    return Result(EXPECTED, f"stack id {identifier}, queue {name}")


def secrets(account):
    problems = []
    for provider in account.providers:
        made = f"{provider.capitalize()}Credentials" in account.resources
        try:
            credentials = account.secret(provider)
        except ValueError:
            problems.append(f"{provider}: no JSON")
            continue
        if not isinstance(credentials, dict):
            problems.append(f"{provider}: not an object")
        # One that was rotated may have another form.
        elif made and set(credentials) == {"secret"} and len(credentials["secret"]) != 40:
            problems.append(f"{provider}: generated secret of {len(credentials['secret'])} characters")
    return judged(problems, f"{len(account.providers)} secrets with a JSON object")


def environment(account):
    functions, problems, versions = account.client("lambda"), [], set()
    for provider in account.providers:
        found = functions.get_function_configuration(FunctionName=account.resources[f"{provider.capitalize()}Function"])
        variables = found.get("Environment", {}).get("Variables", {})
        wanted = {
            "QUEUE_URL": account.outputs["QueueUrl"],
            "OVERSIZE_BUCKET": account.outputs["OversizeBucketName"],
            "METRICS_NAMESPACE": f"Letterbox/{account.stack}",
            "CREDENTIALS_SECRET": account.outputs[f"{provider.capitalize()}CredentialsSecret"],
            "CREDENTIALS": "",
        }
        # The names alone: the values may be secrets.
        wrong = [name for name, value in wanted.items() if variables.get(name, "") != value]
        problems += [f"{provider}: {name} was changed" for name in wrong]
        if found.get("State", "Active") != "Active":
            problems.append(f"{provider}: {found['State']}")
        versions |= {f"{found['Runtime']} on {architecture}" for architecture in found.get("Architectures", [])}
    return judged(problems, ", ".join(sorted(versions)))


def queue_policy(account):
    if "Queue" not in account.resources:
        return Result(CANNOT_TELL, "an existing queue", "its owner sets the policy")
    queue, problems = account.client("sqs"), []
    attributes = {
        name: queue.get_queue_attributes(QueueUrl=account.outputs[f"{name}Url"], AttributeNames=["All"])["Attributes"]
        for name in ("Queue", "DeadLetterQueue")
    }
    for name, found in attributes.items():
        statements = json.loads(found.get("Policy") or '{"Statement": []}')["Statement"]
        if [(one.get("Sid"), one["Effect"]) for one in statements] != [("OnlyOverTls", "Deny")]:
            problems.append(f"{name}: the policy is not the stack's")
    main, dead = attributes["Queue"], attributes["DeadLetterQueue"]
    if json.loads(main.get("RedrivePolicy") or "{}").get("deadLetterTargetArn") != account.outputs["DeadLetterQueueArn"]:
        problems.append("Queue: the redrive policy names another dead-letter queue or none")
    allowed = json.loads(dead.get("RedriveAllowPolicy") or "{}").get("sourceQueueArns")
    if allowed != [account.outputs["QueueArn"]]:
        problems.append("DeadLetterQueue: it does not allow this queue alone")
    return judged(problems, "policies, redrive and redrive-allow as in the template")


def concurrency(account):
    limit = account.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    return judged([] if limit >= 100 else [f"{limit}: ask for 1000"], str(limit))


def browser(account, path=""):
    problems = []
    for provider in account.providers:
        found = account.http("GET", account.url(provider) + path)
        page = found.status_code == 405 and "receives webhooks for Letterbox" in found.text
        # Some platforms test a URL with a GET; one without their query string is a 400.
        if not page and found.status_code != 400:
            problems.append(f"GET /{provider}{path}: {found.status_code}")
    return judged(problems, f"{len(account.providers)} responses of the functions")


def slash(account):
    result = browser(account, "/")
    if result.verdict == NOT_EXPECTED and not account.is_aws:
        return Result(CANNOT_TELL, result.found, "an emulator matches paths in its own way")
    return result


def alarms(account):
    if "NoAlarmIsRead" in account.outputs:
        return Result(PERSON, "no alarms", "deploy with Alarms=<mail address or topic>")
    names = [name for key, name in account.resources.items() if key.endswith("Alarm")]
    found = account.client("cloudwatch").describe_alarms(AlarmNames=names)["MetricAlarms"]
    problems = [f"{len(names) - len(found)} alarms of the stack are missing"] if len(found) < len(names) else []
    mute = [alarm["AlarmName"] for alarm in found if not alarm.get("AlarmActions") or not alarm.get("ActionsEnabled", True)]
    problems += [f"without reader: {name}" for name in mute]
    topics = {action for alarm in found for action in alarm.get("AlarmActions", []) if ":sns:" in action}
    for topic in sorted(topics):
        readers = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if not readers:
            problems.append(f"the topic {topic.rsplit(':', 1)[1]} has no subscriber")
        elif all(reader["SubscriptionArn"] == "PendingConfirmation" for reader in readers):
            problems.append("no subscription is confirmed: open the link in the mail of SNS")
    return judged(problems, f"{len(found)} alarms with a reader")


# ---------------------------------------------------------------------------------------------- Sending, creating


def refused(account):
    body = b"{}"
    statuses = {
        provider: account.http("POST", account.url(provider), body, {"Content-Type": "application/json"}).status_code
        for provider in account.providers
    }
    problems = [f"{provider}: {status}" for provider, status in statuses.items() if status not in (400, 401)]
    return judged(problems, f"{len(statuses)} functions started and refused")


def parallel(account):
    def send(_):
        return account.http("POST", account.url(account.providers[0]), b"{}").status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = Counter(pool.map(send, range(PARALLEL)))
    found = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    return judged([] if set(statuses) <= {400, 401} else [found], found)


def without_github(account):
    if "github" not in account.providers:
        return Result(CANNOT_TELL, "not run", "GitHub is off; send a delivery from the platform's console")
    return None


def delivery(account, size=0, wanted=202):
    missing = without_github(account)
    if missing:
        return missing
    status = account.ping(size)
    if status is None:
        return Result(CANNOT_TELL, "not run", "the source default has no secret; redeliver from GitHub's page")
    return judged([] if status == wanted else [str(status)], str(status))


def large(account):
    return delivery(account, ACCEPTED_SIZE)


def too_large(account):
    result = delivery(account, REFUSED_SIZE, 413)
    if result.verdict == NOT_EXPECTED and not account.is_aws:
        return Result(CANNOT_TELL, result.found, "an emulator has no such limit")
    return result


def access_log(account):
    logs, group = account.client("logs"), account.resources["AccessLogGroup"]

    def lines():
        start = int(account.started * 1000)
        return logs.filter_log_events(logGroupName=group, startTime=start, limit=20)["events"]

    return waited(account, account.until(lines, "the access log"), "no line of this run", LOG_DELAY)


def metrics(account):
    def names():
        found = account.client("cloudwatch").list_metrics(Namespace=f"Letterbox/{account.stack}")["Metrics"]
        # This one is made from the access log.
        return {metric["MetricName"] for metric in found} - {"GatewayRefused"}

    return waited(account, account.until(names, "metrics of the functions"), "none", METRICS_DELAY)


def waited(account, found, nothing, delay):
    if found:
        return Result(EXPECTED, f"{len(found)} found")
    if account.is_aws and account.wait >= delay:
        return Result(NOT_EXPECTED, f"{nothing} after {account.wait} s")
    if account.is_aws:
        return Result(CANNOT_TELL, f"{nothing} after {account.wait} s", f"it may take {delay} s: run this check again later")
    return Result(CANNOT_TELL, nothing, "an emulator need not write them")


def trail(account):
    pages = account.client("cloudtrail").get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetQueueAttributes"}],
        StartTime=datetime.fromtimestamp(account.started - 3600, timezone.utc),
        PaginationConfig={"MaxItems": 500},
    )
    roles = [name for key, name in account.resources.items() if key.endswith("Role")]
    events = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
    own = [event for event in events if any(role in event["userIdentity"].get("arn", "") for role in roles)]
    denied = [event for event in own if "AccessDenied" in event.get("errorCode", "")]
    found = f"{len(own)} events of the functions in the last hour, {len(denied)} denied"
    return judged([found] if denied else [], found)


def change_set(account):
    client, name = account.client("cloudformation"), f"letterbox-first-hour-{uuid.uuid4().hex[:8]}"
    given = account.description.get("Parameters", [])
    now = {one["ParameterKey"]: one["ParameterValue"] for one in given}.get("DataDeletionPolicy")
    if now is None:
        return Result(NOT_EXPECTED, "the stack has no parameter DataDeletionPolicy")
    parameters = [{"ParameterKey": one["ParameterKey"], "UsePreviousValue": True} for one in given]
    parameters = [one for one in parameters if one["ParameterKey"] != "DataDeletionPolicy"]
    other = "Delete" if now != "Delete" else "RetainExceptOnCreate"
    parameters.append({"ParameterKey": "DataDeletionPolicy", "ParameterValue": other})
    account.on_end("the change set", lambda: client.delete_change_set(StackName=account.stack, ChangeSetName=name))
    client.create_change_set(
        StackName=account.stack,
        ChangeSetName=name,
        UsePreviousTemplate=True,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def finished():
        described = client.describe_change_set(StackName=account.stack, ChangeSetName=name)
        return described if described["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    described = account.until(finished, "the change set")
    if described is None:
        return Result(CANNOT_TELL, "not ready", "pass a longer --wait")
    changes = [one["ResourceChange"]["LogicalResourceId"] for one in described.get("Changes", [])]
    data = {"Queue", "DeadLetterQueue", "OversizeBucket"} & account.resources.keys()
    missing = sorted(data - set(changes))
    if missing and not account.is_aws:
        return Result(CANNOT_TELL, f"{len(changes)} changes", "an emulator lists changes in its own way")
    return judged([f"not listed: {', '.join(missing)}"] if missing else [], f"{len(changes)} changes")


def queued(account):
    sent = len(account.accepted)
    if not sent:
        return Result(CANNOT_TELL, "nothing was accepted", "see the checks before")
    taken = account.take_events()
    if taken == sent:
        return Result(EXPECTED, f"{taken} of {sent}, deleted")
    return Result(PERSON, f"{taken} of {sent}, deleted", "did your consumer receive the rest?")


# ---------------------------------------------------------------------------------------------- A person


def by_hand(todo):
    return lambda account: Result(PERSON, "not run", todo)


CHECKS = [
    Check("policy", "CloudFormation accepts a parameter in DeletionPolicy in this partition", "the stack's status", "complete", policy, aws_only=True),
    Check("stack-id", "stack ids are UUIDs of version 1, and the queue's name has their unique part", "stack id and queue name", "version 1; time and clock sequence in the name", stack_id),
    Check("secrets", "Secrets Manager generates the credentials", "each Secrets Manager secret is parsed", "a JSON object; 40 characters if generated", secrets, aws_only=True),
    Check("environment", "Lambda runs the functions with the template's settings", "each function's configuration", "active, environment as in the template", environment, aws_only=True),
    Check("queue-policy", "SQS keeps the policies as the template has them", "attributes of both queues", "TLS only; redrive between these two alone", queue_policy),
    Check("concurrency", "a new account has few concurrent executions", "Lambda's account settings", "100 or more", concurrency, aws_only=True),
    Check("browser", "API Gateway forwards what is no POST", "GET of each URL", "405 and one sentence, or 400", browser, aws_only=True),
    Check("slash", "API Gateway's routing of a trailing slash", "GET of each URL and a slash", "405 and one sentence, or 400", slash, aws_only=True),
    Check("alarms", "SNS delivers alarms to somebody", "actions and subscriptions", "a confirmed subscriber for each alarm", alarms),
    Check("refused", "each function starts under its own role and reads its credentials", "an unsigned POST to each URL", "400 or 401", refused, aws_only=True, changes=True),
    Check("parallel", "Lambda scales from nothing under the account's limits", f"{PARALLEL} unsigned POSTs at once", "400 or 401, no 429 and no 5xx", parallel, aws_only=True, changes=True),
    Check("delivery", "a delivery through API Gateway, Lambda and SQS", "a signed ping as from GitHub", "202", delivery, aws_only=True, changes=True),
    Check("large", "Lambda's limit counts each quote of the body twice", f"a signed ping of {ACCEPTED_SIZE:,} bytes", "202", large, aws_only=True, changes=True),
    Check("too-large", "API Gateway's response to what Lambda does not take", f"a signed ping of {REFUSED_SIZE:,} bytes", "413", too_large, aws_only=True, changes=True),
    Check("change-set", "a changed DataDeletionPolicy alone is a change", "a change set that is not executed", "queues and bucket are listed", change_set, aws_only=True, changes=True),
    Check("access-log", "API Gateway may write its access log", "lines of this run", "at least one", access_log, aws_only=True),
    Check("metrics", "CloudWatch extracts metrics from the log lines", "metrics in the stack's namespace", "at least one", metrics, aws_only=True),
    Check("trail", "no function's call is denied at a cold start", "CloudTrail's GetQueueAttributes of the last hour", "none denied", trail, aws_only=True),
    Check("queued", "the accepted events are on the queue", "this run's events are received and deleted", "all of them", queued, aws_only=True, changes=True),
    Check("dashboard", "the dashboard shows the metrics", "open DashboardLink after five minutes", "numbers in the widgets", by_hand("section 3 of the guide")),
    Check("platform", "the platform itself accepts URL and response", "send a ping from GitHub's page", "202 under Recent Deliveries", by_hand("section 3 of the guide")),
    Check("options", "FIFO, an existing queue, plain HTTP, a domain", "deploy each", "complete, and a delivery arrives", by_hand("section 4 of the guide")),
    Check("removal", "the same name can be deployed again", "delete and deploy five times", "no conflict", by_hand("section 5 of the guide")),
]
