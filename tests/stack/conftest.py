"""The stacks of a run, on two local AWS: one as it comes, one that enforces IAM.

A deployment takes some ten seconds, so there are three stacks for all tests. What changes a stack puts it back, and
test_removal.py, which deletes two of them, runs last.
"""

import json
import shlex
import signal
from dataclasses import replace

import pytest

# First, since it makes the next ones importable.
from emulator import Emulator
from platforms import PLATFORMS
from stack import SamError, Stack, check_tools, given_credentials
from survey import survey

# The providers whose secret the stack can generate.
GENERATED = ["github", "payment", "signed"]
# A card that only the bucket has, unlike the built-in sample.
CARDS = {"123": {"entries": [{"intent": {"scenic_spot": "故宫"}, "data": {"from": "the bucket"}}]}}


def pytest_configure(config):
    # SIGTERM ends the run like Ctrl-C, so that its child processes end as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


# Of the tests with a stack, those that take the longest first: begun last, they would run when all others have ended.
STACKS = ["strict", "apart", "letterbox", "second"]
# These have a `letterbox` for themselves, so that all groups take about as long.
APART = ["test_doctor.py", "test_stack_redrive.py"]


# Before xdist reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Groups the tests by their stacks: those of a group run one after the other in one process, which deploys the stack once.

    The tests of `second` are a group of their own, with another `letterbox` beside it.
    """
    groups = {item: group_of(item) for item in items}
    order = {name: position for position, name in enumerate(STACKS)}
    items.sort(key=lambda item: (order.get(groups[item], len(order)), item.path.name == "test_removal.py"))
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))


def group_of(item):
    stacks = used(item)
    if stacks & {"strict_aws", "strict"}:
        return "strict"
    if "second" in stacks:
        return "second"
    if stacks & {"aws", "letterbox"}:
        return "apart" if item.path.name in APART else "letterbox"
    return item.path.name


def used(item):
    """The fixtures of a test, and those that its parameters name."""
    parameters = item.callspec.params.values() if hasattr(item, "callspec") else []
    return {*item.fixturenames, *(value for value in parameters if isinstance(value, str))}


def pytest_collection_finish(session):
    # xdist adds the group to the name. Without one, each test may run beside another of the same stack.
    if getattr(session.config.option, "loadgroup", False):
        assert [item.nodeid for item in session.items if "@" not in item.nodeid] == []


@pytest.fixture(scope="session", autouse=True)
def tools():
    try:
        check_tools()
    except SamError as error:
        pytest.exit(str(error), returncode=1)


def new_senders():
    return {provider: platform.new_senders()["default"] for provider, platform in PLATFORMS.items()}


def given(aws, senders, prefix="given"):
    credentials = {name: json.dumps({"default": sender.credentials}) for name, sender in senders.items()}
    return given_credentials(aws, credentials, json.dumps(CARDS), prefix)


@pytest.fixture(scope="session")
def aws(tmp_path_factory):
    aws = Emulator(tmp_path_factory.mktemp("aws"))
    yield aws
    aws.stop()


@pytest.fixture(scope="session")
def strict_aws(tmp_path_factory):
    """Enforces IAM."""
    aws = Emulator(tmp_path_factory.mktemp("strict"), strict=True)
    yield aws
    aws.stop()


@pytest.fixture(scope="session")
def senders():
    return new_senders()


@pytest.fixture(scope="session")
def letterbox_stack(aws, senders):
    """A stack with everything on, existing Secrets Manager secrets, and a pipe to the account's own event bus."""
    stack = Stack(aws, "letterbox")
    stack.deploy(Alarms="ops@example.com", EventBus="default", **given(aws, senders))
    return stack


@pytest.fixture
def letterbox(letterbox_stack):
    letterbox_stack.queue().drain()
    return letterbox_stack


@pytest.fixture(scope="session")
def second_senders():
    return new_senders()


@pytest.fixture(scope="session")
def second_stack(aws, letterbox_stack, second_senders):
    """Beside the first one: generated secrets where that is possible, a FIFO queue; its data is kept."""
    stack = Stack(aws, "second")
    generated = {provider.capitalize(): "generate" for provider in GENERATED}
    stack.deploy(EventQueue="fifo", EventBus="off", **given(aws, second_senders, "second") | generated)
    return stack


@pytest.fixture(scope="session")
def generated_senders(second_stack, second_senders):
    """The senders of the second stack, with the secrets that it generated, read with the commands in its outputs."""
    senders, outputs = dict(second_senders), second_stack.outputs()
    for provider in GENERATED:
        command = shlex.split(outputs[f"{provider.capitalize()}SecretCommand"])
        assert command[:3] == ["aws", "secretsmanager", "get-secret-value"]
        secret = command[command.index("--secret-id") + 1]
        text = second_stack.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        [(field, value)] = json.loads(text).items()
        # AWS omits all punctuation; the emulator does not.
        assert (field, len(value)) == ("secret", 40)
        senders[provider] = replace(senders[provider], secret=value)
    return senders


@pytest.fixture
def second(second_stack):
    second_stack.queue().drain()
    return second_stack


@pytest.fixture(scope="session")
def strict_senders():
    return new_senders()


@pytest.fixture(scope="session")
def strict_stack(strict_aws, strict_senders):
    """Every function under its own role, alarms to an existing topic, and nothing kept."""
    stack = Stack(strict_aws, "strict")
    parameters = given(strict_aws, strict_senders)
    parameters["Alarms"] = strict_aws.client("sns").create_topic(Name="theirs")["TopicArn"]
    stack.make_artifacts_bucket()
    stack.before = survey(strict_aws)
    stack.deploy(DataDeletionPolicy="Delete", **parameters)
    return stack


@pytest.fixture
def strict(strict_stack):
    strict_stack.queue().drain()
    return strict_stack
