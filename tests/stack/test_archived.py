"""The archive of the deployed stack: what is in the bucket, and replays from there."""

import json
import time
from datetime import datetime, timezone

import pytest

from platforms import PLATFORMS, dingtalk, payment
from servers import PROVIDERS, until
from test_permissions import restart, without

HOUR = 3600


class Archive:
    """The bucket of a stack. The emulator writes each record as an object of its own, and does not compress it."""

    def __init__(self, stack):
        self._s3, self._bucket = stack.aws.client("s3"), stack.outputs()["ArchiveBucketName"]

    def take(self):
        """Removes and returns the records, as text."""
        keys = []
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            keys += [entry["Key"] for entry in page.get("Contents", [])]
        lines = []
        for key in keys:
            assert key.startswith(f"deliveries/{time.gmtime().tm_year}/")
            lines.append(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode())
            self._s3.delete_object(Bucket=self._bucket, Key=key)
        # The emulator takes the put without a record that opens the connection; AWS rejects it.
        return [text for text in lines if text]

    def one(self):
        # At least once: an attempt that timed out may have been stored.
        lines = list(set(self.take()))
        assert len(lines) == 1 and lines[0].endswith("\n"), lines
        return json.loads(lines[0])


@pytest.fixture
def archive(letterbox):
    archive = Archive(letterbox)
    archive.take()
    return archive


def rfc3339(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def invoke(stack, provider, event):
    """What `aws lambda invoke` prints."""
    name = stack.resources()[f"{provider.capitalize()}Function"]
    answer = stack.aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    assert "FunctionError" not in answer
    return json.loads(answer["Payload"].read())


def replay(stack, provider, record, **received):
    marker = {"receivedtime": record["time"]} | received
    return invoke(stack, provider, record["event"] | {"letterbox": marker})


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_delivery_of_each_provider_is_archived_and_replayed(letterbox, archive, senders, provider):
    sender = senders[provider]
    request = sender.build_request()
    sender.acknowledged(letterbox.send(provider, request), request)
    message = json.loads(letterbox.queue().one()["Body"])
    record = archive.one()
    assert (record["provider"], record["source"], record["outcome"]) == (provider, "default", "queued")
    assert (record["id"], record["type"], record["message"]) == (message["id"], message["type"], message)
    assert record["event"]["requestContext"]["requestId"]
    assert record["time"] == message["receivedtime"]

    answer = replay(letterbox, provider, record)
    assert answer["statusCode"] == PLATFORMS[provider].STATUS
    verdict = {name: answer["letterbox"][name] for name in ["outcome", "id", "type"]}
    assert verdict == {"outcome": "queued", "id": message["id"], "type": message["type"]}
    replayed = json.loads(letterbox.queue().one()["Body"])
    assert replayed.pop("replayedtime") > record["time"]
    assert replayed == message
    # It is there already.
    assert archive.take() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_refused_delivery_is_archived(letterbox, archive, senders, provider):
    unauthorized = next(iter(PLATFORMS[provider].UNAUTHORIZED.values()))
    assert letterbox.send(provider, unauthorized(senders[provider])).status_code == 401
    record = archive.one()
    assert (record["provider"], record["outcome"], record["id"]) == (provider, "refused", None)
    assert record["reason"] and "message" not in record and "type" not in record
    answer = replay(letterbox, provider, record)
    assert (answer["statusCode"], answer["letterbox"]["reason"]) == (401, record["reason"])
    assert letterbox.queue().drain() == [] and archive.take() == []


def test_handshakes_and_unknown_sources_are_not_archived(letterbox, archive, senders):
    app = senders["dingtalk"]
    assert app.open(letterbox.send("dingtalk", app.build_request('{"EventType":"check_url"}'))) == "success"
    for provider in PROVIDERS:
        assert letterbox.send(provider, senders[provider].build_request(), "nobody").status_code == 404
    assert archive.take() == []


def test_secrets_in_headers_are_masked(letterbox, archive, senders):
    secret = {"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "X-Some-Token": "hunter2", "Cookie": "a=hunter2"}
    request = senders["github"].build_request()
    assert letterbox.send("github", request.but(headers=request.headers | secret)).status_code == 202
    [text] = archive.take()
    headers = {name.lower(): value for name, value in json.loads(text)["event"]["headers"].items()}
    assert "hunter2" not in text
    assert {headers[name.lower()] for name in secret if name != "Cookie"} == {"***"}
    assert headers["x-hub-signature-256"] == request.headers["X-Hub-Signature-256"]
    # The signature is there, so it can be judged again.
    assert replay(letterbox, "github", json.loads(text))["letterbox"]["outcome"] == "queued"


@pytest.mark.parametrize("size, omitted", [(600_000, ["message"]), (1_100_000, ["message", "body"])])
def test_a_large_delivery_is_archived_without_what_does_not_fit(letterbox, archive, senders, size, omitted):
    request = senders["github"].build_request(json.dumps({"text": "x" * size}).encode())
    assert letterbox.send("github", request).status_code == 202
    [text] = archive.take()
    record = json.loads(text)
    assert len(text) <= 1000 * 1024 and record["omitted"] == omitted
    assert (record["event"]["body"] is None) == ("body" in omitted)


@pytest.fixture(scope="module")
def timed(letterbox_stack, senders):
    """Further sources whose senders sign the time, and how each signs at another time."""
    fresh = dingtalk.App.new("dingfresh", tolerance=60)
    stripe = payment.Service.new("stripe")
    more = {"dingtalk": {"fresh": fresh}, "payment": {"stripe": stripe}}
    vault, before = letterbox_stack.aws.client("secretsmanager"), {}
    for provider, sources in more.items():
        secret = letterbox_stack.outputs()[f"{provider.capitalize()}CredentialsSecret"]
        before[secret] = vault.get_secret_value(SecretId=secret)["SecretString"]
        entries = json.loads(before[secret]) | {name: sender.credentials for name, sender in sources.items()}
        vault.put_secret_value(SecretId=secret, SecretString=json.dumps(entries))
        restart(letterbox_stack, provider)
    yield {
        "dingtalk": ("fresh", lambda at: fresh.build_request(timestamp=str(int(at * 1000)))),
        "wechatpay": ("default", lambda at: senders["wechatpay"].build_request(now=at)),
        "payment": ("stripe", lambda at: stripe.build_request(now=at)),
    }
    for secret, text in before.items():
        vault.put_secret_value(SecretId=secret, SecretString=text)
    for provider in more:
        restart(letterbox_stack, provider)


@pytest.mark.parametrize("provider", ["dingtalk", "wechatpay", "payment"])
def test_a_delivery_an_hour_old_is_accepted_with_the_marker_alone(letterbox, archive, timed, provider):
    source, build = timed[provider]
    then = time.time() - HOUR
    assert letterbox.send(provider, build(then), source).status_code == 401
    record = archive.one()
    assert record["reason"] == "timestamp_out_of_range"
    # As of its receipt it is as old.
    assert replay(letterbox, provider, record)["letterbox"]["reason"] == "timestamp_out_of_range"
    assert invoke(letterbox, provider, record["event"])["statusCode"] == 401
    assert archive.one()["outcome"] == "refused"
    answer = replay(letterbox, provider, record, receivedtime=rfc3339(then))
    assert answer["letterbox"]["outcome"] == "queued"
    message = json.loads(letterbox.queue().one()["Body"])
    assert message["receivedtime"] == rfc3339(then) and message["replayedtime"]


def test_a_corrected_secret_works_for_the_next_replay(letterbox, archive, senders):
    """Though the function has just read the old one: the operator does not wait for half a minute."""
    vault, secret = letterbox.aws.client("secretsmanager"), letterbox.outputs()["GithubCredentialsSecret"]
    before = vault.get_secret_value(SecretId=secret)["SecretString"]
    wrong = json.dumps({"default": {"secret": "another secret of github"}})
    try:
        vault.put_secret_value(SecretId=secret, SecretString=wrong)
        restart(letterbox, "github")
        request = senders["github"].build_request()
        assert letterbox.send("github", request).status_code == 401
        record = archive.one()
    finally:
        vault.put_secret_value(SecretId=secret, SecretString=before)
    until(lambda: replay(letterbox, "github", record)["letterbox"]["outcome"] == "queued", 10, "the corrected secret")
    assert json.loads(letterbox.queue().one()["Body"])["replayedtime"]


def test_nobody_can_set_the_marker_over_http(letterbox, archive, timed):
    for provider, (source, build) in timed.items():
        then = time.time() - HOUR
        request = build(then)
        marker = json.dumps({"receivedtime": rfc3339(then)})
        headers = {"letterbox": marker, "x-letterbox": marker, "receivedtime": rfc3339(then)}
        query = "&".join(filter(None, [request.query, "letterbox=%7B%7D", f"receivedtime={rfc3339(then)}"]))
        request = request.but(headers=request.headers | headers, query=query)
        response = letterbox.send(provider, request, source)
        assert response.status_code == 401 and "letterbox" not in response.text
    assert letterbox.queue().drain() == []
    assert all("letterbox" not in json.loads(text)["event"] for text in archive.take())


def test_the_bucket_is_private_and_expires(letterbox):
    s3, bucket = letterbox.aws.client("s3"), letterbox.outputs()["ArchiveBucketName"]
    # The emulator does not apply the rules of a bucket.
    template = letterbox.aws.client("cloudformation").get_template(StackName=letterbox.name, TemplateStage="Processed")
    template = template["TemplateBody"] if isinstance(template["TemplateBody"], dict) else json.loads(template["TemplateBody"])
    [rule] = template["Resources"]["ArchiveBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", {"Ref": "ArchiveDays"})
    assert template["Parameters"]["ArchiveDays"]["Default"] == 14
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    [encryption] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [statement] = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_stream_compresses_and_sorts_by_time(letterbox):
    name = letterbox.resources()["ArchiveStream"]
    stream = letterbox.aws.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    [destination] = stream["DeliveryStreamDescription"]["Destinations"]
    s3 = destination["ExtendedS3DestinationDescription"]
    assert (s3["CompressionFormat"], s3["Prefix"]) == ("GZIP", "deliveries/!{timestamp:yyyy/MM/dd/HH}/")
    assert s3["ErrorOutputPrefix"].startswith("errors/!{firehose:error-output-type}/")
    assert s3["CloudWatchLoggingOptions"]["LogGroupName"] == f"/aws/kinesisfirehose/{letterbox.name}-archive"


def test_without_its_permission_deliveries_are_processed_and_not_archived(strict, strict_senders):
    archive = Archive(strict)
    archive.take()
    request = strict_senders["github"].build_request()
    with without(strict, "github", "firehose:PutRecord"):
        assert strict.send("github", request).status_code == 202
        # Only this permission is removed.
        assert strict.send("payment", strict_senders["payment"].build_request()).status_code == 202
    assert len(strict.queue().drain()) == 2
    assert archive.one()["provider"] == "payment"
    logs = strict.aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{strict.name}-github")["events"]
    lines = [json.loads(event["message"]) for event in logs if '"archived":false' in event["message"]]
    assert "AccessDenied" in lines[-1]["archiveDetail"] and lines[-1]["ArchiveFailed"] == 1
    assert strict.send("github", request).status_code == 202
    assert (len(strict.queue().drain()), archive.one()["provider"]) == (1, "github")


def test_only_the_stream_may_write_to_the_bucket(strict):
    """What AWS's guide lists for a bucket, and nothing else; the emulator asks for none of it."""
    iam, resources = strict.aws.client("iam"), strict.resources()
    role = iam.get_role(RoleName=resources["ArchiveRole"])["Role"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "firehose.amazonaws.com"}
    assert trust["Condition"]["StringEquals"]["aws:SourceAccount"]
    document = iam.get_role_policy(RoleName=resources["ArchiveRole"], PolicyName="archive")["PolicyDocument"]
    statements = {statement["Sid"]: statement for statement in document["Statement"]}
    bucket = f"arn:aws:s3:::{resources['ArchiveBucket']}"
    assert set(statements) == {"Bucket", "Objects", "Logs"}
    assert statements["Bucket"]["Resource"] == bucket and statements["Objects"]["Resource"] == f"{bucket}/*"
    actions = set(statements["Bucket"]["Action"]) | set(statements["Objects"]["Action"])
    assert actions == {
        f"s3:{name}"
        for name in [
            "AbortMultipartUpload",
            "GetBucketLocation",
            "GetObject",
            "ListBucket",
            "ListBucketMultipartUploads",
            "PutObject",
        ]
    }
