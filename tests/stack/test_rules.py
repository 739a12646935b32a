"""Parameters that cannot work stop the deployment before anything is created; the message says what to set."""

import pytest
from botocore.exceptions import ClientError

from stack import SamError, Stack

ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:mine-AbCdEf"
# Parameters, and what the message names.
CASES = {
    "nothing-on": ({"Github": "off"}, "Github to generate"),
    "opencard-cards": ({"Opencard": ARN}, "OpencardCards"),
    "opencard-http": ({"OpencardHttp": "true"}, "Opencard to the ARN"),
    "generate": ({"Dingtalk": "generate"}, "Dingtalk: off, or the full ARN"),
    "switch": ({"Github": "true"}, "Github: off, generate, or the full ARN"),
    "half-an-arn": ({"Github": ARN.removesuffix("-AbCdEf")}, "which ends in six characters"),
    "queue": ({"EventQueue": "FIFO"}, "EventQueue: standard, fifo, or the ARN"),
    "queue-url": ({"EventQueue": "https://sqs.us-east-1.amazonaws.com/000000000000/q"}, "EventQueue: standard, fifo, or the ARN"),
    "bus": ({"EventBus": "arn:aws:events:us-east-1:000000000000:rule/a"}, "EventBus: the name or the ARN"),
    "path": ({"DomainPath": "letterbox"}, "set DomainName"),
    "zone": ({"DomainName": "hooks.example.com", "HostedZoneId": "Z1"}, "set DomainCertificateArn"),
    "contacts": ({"Contacts": ARN.removesuffix("-AbCdEf")}, "Contacts: off, or the full ARN"),
    "contacts-schedule": ({"ContactsSchedule": "every night"}, "ContactsSchedule: a schedule of EventBridge"),
    "contacts-subnets": ({"ContactsSubnetIds": "subnet-1, subnet-2"}, "ContactsSubnetIds: ids of subnets"),
    "contacts-half-a-vpc": ({"ContactsSubnetIds": "subnet-0a1b2c3d"}, "set ContactsSubnetIds and ContactsSecurityGroupIds"),
    "contacts-proxy": ({"ContactsProxy": "http://user:password@10.0.0.5:3128"}, "without a user"),
    "alarms": ({"Alarms": "on"}, "Alarms: off, a mail address, or the ARN"),
    "alarms-of-sqs": ({"Alarms": "arn:aws:sqs:us-east-1:000000000000:q"}, "Alarms: off, a mail address, or the ARN"),
    "rate": ({"ThrottlingRate": "0"}, "ThrottlingRate"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_is_named(letterbox, name):
    parameters, named = CASES[name]
    with pytest.raises(ClientError) as refused:
        letterbox.aws.client("cloudformation").create_change_set(
            StackName=f"refused-{name}",
            ChangeSetName="first",
            ChangeSetType="CREATE",
            Capabilities=["CAPABILITY_IAM"],
            TemplateURL=letterbox.template_url(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
    assert named in str(refused.value)


def test_sam_prints_the_message(aws):
    with pytest.raises(SamError) as failed:
        Stack(aws, "refused").deploy(Opencard=ARN)
    assert "set OpencardCards, the s3://bucket/key of the card catalogue" in str(failed.value)
