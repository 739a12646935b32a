"""Parameters that cannot work stop the deployment before anything is created; the message says what to set."""

import pytest
from botocore.exceptions import ClientError

from stack import SamError, Stack

KEY = "MDEyMzQ1Njc4OWFiY2RlZg"
# Parameters, and the one that the message names.
CASES = {
    "nothing-on": ({"GithubEnabled": "false", "PaymentEnabled": "false"}, "GithubEnabled"),
    "dingtalk": ({"DingtalkEnabled": "true"}, "DingtalkToken"),
    "dingtalk-half": ({"DingtalkEnabled": "true", "DingtalkToken": "token"}, "DingtalkAesKey"),
    "opencard-key": ({"OpencardEnabled": "true", "OpencardCards": "s3://cards/cards.json"}, "OpencardKey"),
    "opencard-cards": ({"OpencardEnabled": "true", "OpencardKey": KEY}, "OpencardCards"),
    "opencard-http": ({"OpencardHttp": "true"}, "OpencardEnabled"),
    "payment-preset": ({"PaymentPreset": "stripe"}, "PaymentSecret"),
    "signed-preset": ({"SignedEnabled": "true", "SignedPreset": "svix"}, "SignedSecret"),
    "queue": ({"ExistingQueueArn": "arn:aws:sqs:us-east-1:000000000000:q.fifo", "QueueType": "fifo"}, "QueueType"),
    "domain": ({"DomainName": "hooks.example.com"}, "DomainCertificateArn"),
    "alarms": ({"AlarmEmail": "a@b", "AlarmTopicArn": "arn:aws:sns:us-east-1:000000000000:t"}, "AlarmTopicArn"),
    "aes-key": ({"DingtalkAesKey": "short"}, "43 letters and digits"),
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
        Stack(aws, "refused").deploy(DingtalkEnabled="true")
    assert "set DingtalkToken, DingtalkAesKey and DingtalkOwnerKey, or DingtalkCredentialsArn" in str(failed.value)
