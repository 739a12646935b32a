"""`letterbox configure`: the real program, the local AWS, the real SAM CLI, and a terminal."""

import json
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pytest
import tomllib

import messages
from conftest import CARDS, new_senders
from emulator import Emulator
from servers import REGION, ROOT
from stack import LOCAL, Stack

PROGRAM = ROOT / "target/debug/letterbox"
TIMEOUT = 30
SECRET = "correct horse battery staple"
OTHER = "another secret, as good as the first"


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    """An account of its own: other tests count secrets."""
    aws = Emulator(tmp_path_factory.mktemp("configure"))
    yield aws
    aws.stop()


@dataclass
class Project:
    """A folder with a configuration file, and a stack name that no other test has."""

    aws: Emulator
    folder: Path
    name: str
    environment: dict = field(init=False)

    def __post_init__(self):
        self.environment = self.aws.environment | {"HOME": str(self.folder), "TERM": "xterm"}

    @property
    def file(self):
        return self.folder / "samconfig.toml"

    def run(self, *arguments, stdin=None, status=0, **environment):
        done = subprocess.run(
            [PROGRAM, "configure", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def parameters(self):
        overrides = tomllib.loads(self.file.read_text())["default"]["deploy"]["parameters"]["parameter_overrides"]
        return dict(pair.split("=", 1) for pair in overrides)

    def secrets(self):
        client = self.aws.client("secretsmanager")
        names = [secret["Name"] for secret in client.list_secrets(MaxResults=100)["SecretList"]]
        return {
            name.removeprefix(f"{self.name}/"): json.loads(client.get_secret_value(SecretId=name)["SecretString"])
            for name in names
            if name.startswith(f"{self.name}/")
        }

    def versions(self, provider):
        client = self.aws.client("secretsmanager")
        return client.get_secret_value(SecretId=f"{self.name}/{provider}")["VersionId"]

    @contextmanager
    def terminal(self, *arguments):
        """The program on a terminal of its own; in the end, no secret is on the screen or in a file."""
        child = pexpect.spawn(
            str(PROGRAM),
            ["configure", *arguments],
            cwd=str(self.folder),
            env=self.environment,
            dimensions=(60, 160),
            timeout=TIMEOUT,
            encoding="utf-8",
        )
        child.delaybeforesend = None
        screen = Path(self.folder / "screen").open("w+")
        child.logfile_read = screen
        try:
            yield child
            child.expect(pexpect.EOF)
            child.close()
        finally:
            child.close(force=True)
            screen.seek(0)
            self.screen = screen.read()
            screen.close()
        assert SECRET not in self.screen and OTHER not in self.screen
        for path in self.folder.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                assert SECRET.encode() not in text and OTHER.encode() not in text, path


@pytest.fixture
def project(account, tmp_path, request):
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    project = Project(account, tmp_path, name[:60])
    project.file.write_text(
        f"""# Ours
version = 0.1

[default.deploy.parameters]
stack_name = "{project.name}"  # kept
parameter_overrides = [
  "Architecture={LOCAL["Architecture"]}",  # of this machine
]
"""
    )
    return project


def test_a_secret_is_made_once_and_the_file_names_it(project):
    arguments = ["--provider", "github", "--secret", "-"]
    printed = project.run(*arguments, stdin=SECRET + "\n")
    assert f"create the secret {project.name}/github" in printed and "sam deploy" in printed
    assert SECRET not in printed
    assert project.secrets() == {"github": {"default": {"secret": SECRET}}}
    text = project.file.read_text()
    assert text.startswith("# Ours\n") and "# kept" in text and f'region = "{REGION}"' in text
    assert project.parameters()["Github"].startswith("arn:aws:secretsmanager:")

    version = project.versions("github")
    printed = project.run(*arguments, stdin=SECRET)
    assert "Nothing to change" in printed
    assert project.file.read_text() == text and project.versions("github") == version


def test_other_sources_and_rotation_lists_are_kept(project):
    stored = {"default": [{"secret": SECRET}, {"secret": "older"}], "acme": {"secret": "of acme"}}
    arn = project.aws.secret(f"{project.name}/github", json.dumps(stored))
    github = ["--provider", "github", "--secret", "-"]
    project.run(*github, "--source", "new", stdin=SECRET)
    assert project.secrets()["github"] == stored | {"new": {"secret": SECRET}}
    assert project.parameters()["Github"] == arn
    # The list has it already.
    project.run(*github, stdin="older")
    assert project.secrets()["github"]["default"] == stored["default"]


def test_a_key_is_not_lost_unless_somebody_says_so(project):
    github = ["--provider", "github", "--secret", "-"]
    project.run(*github, stdin=SECRET)
    text = project.file.read_text()
    printed = project.run(*github, stdin=OTHER, status=1)
    assert "--rotate" in printed and "--replace" in printed and "secret" in printed
    assert SECRET not in printed and OTHER not in printed
    assert project.secrets()["github"] == {"default": {"secret": SECRET}}
    project.run(*github, "--rotate", stdin=OTHER)
    assert project.secrets()["github"] == {"default": [{"secret": OTHER}, {"secret": SECRET}]}
    project.run(*github, "--replace", stdin="the third one")
    assert project.secrets()["github"] == {"default": {"secret": "the third one"}}
    assert project.file.read_text() == text


def test_a_dry_run_changes_nothing(project):
    text = project.file.read_text()
    printed = project.run("--provider", "github", "--secret", "-", "--dry-run", stdin=SECRET)
    assert f"create the secret {project.name}/github" in printed and "Nothing was changed" in printed
    assert project.secrets() == {} and project.file.read_text() == text


def test_several_providers_from_one_file(project):
    credentials = {name: {"default": sender.credentials} for name, sender in new_senders().items()}
    file = project.folder / "credentials.json"
    file.write_text(json.dumps(credentials))
    project.run("--credentials", file)
    assert project.secrets() == credentials
    assert "Nothing to change" in project.run("--credentials", file)
    project.run("--off", "slack", "--off", "github")
    assert (project.parameters()["Slack"], project.parameters()["Github"]) == ("off", "off")
    assert project.secrets() == credentials


def test_fields_from_files_variables_and_the_command_line(project):
    key = new_senders()["dingtalk"].credentials["aes_key"]
    (project.folder / "key").write_text(key + "\n")
    fields = ["--provider", "dingtalk", "--field-file", "aes_key=key", "--field-env", "token=TOKEN"]
    project.run(*fields, "--field", "owner_key=ding1,ding2", TOKEN=SECRET)
    expected = {"token": SECRET, "aes_key": key, "owner_key": ["ding1", "ding2"]}
    assert project.secrets() == {"dingtalk": {"default": expected}}


@pytest.mark.parametrize(
    ("arguments", "stdin", "expected"),
    [
        (["--provider", "github"], "", "secret is missing"),
        (["--provider", "github", "--secret", "-"], "", "secret: expected"),
        (["--provider", "github", "--field", "secret=x"], "", "--field-file"),
        (["--provider", "gitbut", "--secret", "-"], SECRET, "no provider"),
        (["--provider", "slack", "--generate"], "", "--generate: Slack issues the secret itself"),
        (["--provider", "signed", "--preset", "strip", "--secret", "-"], SECRET, "preset: expected one of"),
        (["--provider", "discord", "--field", "public_key=xyz"], "", "public_key: expected"),
        (["--provider", "sns", "--field", "topic_arn=x"], "", "topic_arn: expected the ARN of a topic"),
        (["--provider", "sns", "--field", "confirm=perhaps"], "", "confirm: expected true or false"),
        (["--provider", "github", "--secret", "-", "--source", "a/b"], SECRET, "a/b"),
        (["--provider", "github", "--secret", "missing.txt"], "", "missing.txt"),
        (["--provider", "github", "--secret", "-", "--off", "github"], SECRET, "both configured and turned off"),
        ([], "", "there is no terminal"),
    ],
)
def test_what_cannot_be_right_is_reported_before_anything_changes(project, arguments, stdin, expected):
    text = project.file.read_text()
    printed = project.run(*arguments, stdin=stdin, status=2)
    assert expected in printed and SECRET not in printed
    assert project.secrets() == {} and project.file.read_text() == text


def test_without_credentials_or_region_it_says_what_to_set(project):
    arguments = ["--provider", "github", "--secret", "-"]
    environment = {name: "" for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]}
    printed = project.run(*arguments, stdin=SECRET, status=1, AWS_EC2_METADATA_DISABLED="true", **environment)
    assert "no AWS credentials were found" in printed and "--profile" in printed
    environment = {name: "" for name in ["AWS_REGION", "AWS_DEFAULT_REGION"]}
    printed = project.run(*arguments, stdin=SECRET, status=1, AWS_EC2_METADATA_DISABLED="true", **environment)
    assert "no AWS region is set" in printed and "--region" in printed


@pytest.mark.parametrize(
    "action", ["cloudformation:DescribeStacks", "secretsmanager:GetSecretValue", "secretsmanager:CreateSecret"]
)
def test_a_denied_right_is_named(strict_aws, tmp_path, action):
    name = "denied-" + action.split(":")[1].lower()
    user = f"deployer-{action.split(':')[1]}"
    iam = strict_aws.client("iam")
    iam.create_user(UserName=user)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["cloudformation:*", "secretsmanager:*"], "Resource": "*"},
            {"Effect": "Deny", "Action": action, "Resource": "*"},
        ],
    }
    iam.put_user_policy(UserName=user, PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    project = Project(strict_aws, tmp_path, name)
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    printed = project.run("--stack", name, "--provider", "github", "--secret", "-", stdin=SECRET, status=1, **keys)
    assert f"{action} is denied: allow {action}" in printed and SECRET not in printed
    assert not project.file.exists()


def test_what_was_configured_is_deployed_and_receives(project):
    chosen = {name: sender for name, sender in new_senders().items() if name in ("github", "dingtalk", "signed")}
    credentials = {name: {"default": sender.credentials} for name, sender in chosen.items()}
    (project.folder / "credentials.json").write_text(json.dumps(credentials))
    project.run("--credentials", "credentials.json")

    stack = Stack(project.aws, project.name)
    stack.deploy(config=project.file)
    for provider, sender in chosen.items():
        request = sender.build_request()
        sender.acknowledged(stack.send(provider, request), request)
        messages.read(stack.queue().one(), provider, request.payload)

    # Deployed, it prints the URLs, and a new source needs no deployment.
    printed = project.run("--provider", "github", "--source", "acme", "--secret", "-", stdin=OTHER)
    assert "needs no deployment" in printed and "paste the URL" in printed
    assert stack.outputs()["GithubUrl"] + "/acme" in printed


def test_a_generated_secret_takes_further_sources(project):
    project.run("--provider", "github", "--generate")
    assert project.parameters()["Github"] == "generate" and project.secrets() == {}
    stack = Stack(project.aws, project.name)
    stack.deploy(config=project.file)
    secret = stack.outputs()["GithubCredentialsSecret"]
    printed = project.run("--provider", "github", "--source", "acme", "--secret", "-", stdin=SECRET)
    assert "needs no deployment" in printed and project.parameters()["Github"] == "generate"
    stored = project.aws.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert json.loads(stored).keys() == {"default", "acme"}


CTRL_C, ESCAPE, ENTER = "\x03", "\x1b", "\r"


def choose(terminal, *titles):
    """Chooses platforms in the first question, and turns GitHub off, which is on."""
    terminal.expect("Which platforms")
    for title in ("GitHub", *titles):
        # What is typed searches; the space bar chooses what was found.
        terminal.send(title.split()[0] + " ")
    terminal.send(ENTER)


def pick(terminal, question, words):
    """Chooses the one answer that has these words."""
    terminal.expect(question)
    terminal.send(words)
    terminal.send(ENTER)


def answer(terminal, question, text):
    terminal.expect(question)
    terminal.send(text + ENTER)


def test_github_on_a_terminal(project):
    with project.terminal() as terminal:
        terminal.expect("Which platforms")
        terminal.send(ENTER)
        pick(terminal, "The secret for GitHub", "already has")
        # A wrong answer is explained, and can be corrected.
        answer(terminal, "Secret", " " + SECRET)
        terminal.expect("secret: expected a secret without whitespace around it")
        terminal.send("\x1b[H\x1b[3~" + ENTER)
        terminal.expect(f"create the secret {project.name}/github")
        answer(terminal, "Do this", "y")
        terminal.expect("sam deploy")
    assert terminal.exitstatus == 0
    assert project.secrets() == {"github": {"default": {"secret": SECRET}}}

    with project.terminal() as terminal:
        terminal.expect("Which platforms")
        terminal.send(ENTER)
        pick(terminal, "There are credentials of the source default", "Leave")
        terminal.expect("Nothing to change")
    assert terminal.exitstatus == 0


def test_a_generated_secret_on_a_terminal(project):
    with project.terminal() as terminal:
        terminal.expect("Which platforms")
        terminal.send(ENTER)
        pick(terminal, "The secret for GitHub", "generate")
        terminal.expect("set Github=generate")
        answer(terminal, "Do this", "y")
        terminal.expect("sam deploy")
    assert project.parameters()["Github"] == "generate" and project.secrets() == {}


def test_a_conflict_on_a_terminal(project):
    project.run("--provider", "github", "--secret", "-", stdin=SECRET)
    for words, expected in [("Leave it", [SECRET]), ("Accept both", [OTHER, SECRET]), ("Replace", ["third"])]:
        new = "third" if words == "Replace" else OTHER
        with project.terminal() as terminal:
            terminal.expect("Which platforms")
            terminal.send(ENTER)
            pick(terminal, "There are credentials", "Add or change")
            answer(terminal, "Source", "")
            answer(terminal, "Secret", new)
            pick(terminal, "previous entry", words)
            if words == "Leave it":
                terminal.expect("Nothing to change")
            else:
                answer(terminal, "Do this", "y")
                terminal.expect("needs no deployment|deploy:")
        stored = project.secrets()["github"]["default"]
        assert [entry["secret"] for entry in (stored if isinstance(stored, list) else [stored])] == expected


def test_every_kind_of_question_on_a_terminal(project):
    senders = new_senders()
    dingtalk, wechatpay = senders["dingtalk"].credentials, senders["wechatpay"].credentials
    alipay, opencard = senders["alipay"].credentials, senders["opencard"].credentials
    cards = project.aws.upload(project.aws.bucket(f"{project.name}-cards"), "cards.json", json.dumps(CARDS))
    [(serial, pem)] = list(wechatpay["keys"].items())[:1]
    (project.folder / "wechatpay.pem").write_text(pem)
    (project.folder / "alipay.pem").write_text(alipay["public_key"])
    [(kid, psk)] = list(opencard["keys"].items())[:1]
    with project.terminal() as terminal:
        choose(terminal, "DingTalk", "OpenCard", "WeChat", "Alipay", "Amazon", "Other")
        # In the order of the list.
        answer(terminal, "签名 token", "token")
        answer(terminal, "AES key", "short")
        terminal.expect("aes_key: expected")
        terminal.send("\x7f" * 5 + dingtalk["aes_key"] + ENTER)
        answer(terminal, "Owner key", "ding1, ding2")
        answer(terminal, "kid", kid)
        answer(terminal, "Webhook PSK", psk)
        answer(terminal, "Another: kid", "")
        answer(terminal, "Card catalogue", "cards.json")
        terminal.expect("OpencardCards: expected s3://bucket/key")
        terminal.send("\x7f" * len("cards.json") + cards + ENTER)
        pick(terminal, "Which sender", "Stripe")
        terminal.expect("Signing secret")
        terminal.send(SECRET + ENTER)
        answer(terminal, "APIv3 key", wechatpay["api_v3_key"])
        answer(terminal, "Public key id", serial)
        answer(terminal, "file", "no.pem")
        terminal.expect("no.pem: no such file")
        terminal.send("\x7f" * len("no.pem") + "wechatpay.pem" + ENTER)
        answer(terminal, "Another: Public key id", "")
        answer(terminal, "Alipay public key", "alipay.pem")
        answer(terminal, "App id", "")
        pick(terminal, "Region", "international")
        answer(terminal, "Topic ARN", "arn:aws:sns:us-east-1:123456789012:orders")
        answer(terminal, "Confirm subscriptions", "y")
        answer(terminal, "Do this", "y")
        terminal.expect("sam deploy")
    assert terminal.exitstatus == 0
    assert project.secrets() == {
        "dingtalk": {"default": dingtalk | {"token": "token", "owner_key": ["ding1", "ding2"]}},
        "opencard": {"default": {"keys": {kid: psk}}},
        "signed": {"default": {"preset": "stripe", "secret": SECRET}},
        "wechatpay": {"default": {"api_v3_key": wechatpay["api_v3_key"], "keys": {serial: pem.removesuffix("\n")}}},
        "alipay": {"default": {"public_key": alipay["public_key"], "region": "intl"}},
        "sns": {"default": {"topic_arn": "arn:aws:sns:us-east-1:123456789012:orders", "confirm": True}},
    }
    parameters = project.parameters()
    assert (parameters["Github"], parameters["OpencardCards"]) == ("off", cards)


@pytest.mark.parametrize("state", ["Which platforms", "The secret for", "Secret", "Do this"])
@pytest.mark.parametrize("key", [CTRL_C, ESCAPE])
def test_interrupted_anywhere_everything_is_as_it_was(project, state, key):
    text = project.file.read_text()
    with project.terminal() as terminal:
        for question, reply in [
            ("Which platforms", ENTER),
            ("The secret for", "already has" + ENTER),
            ("Secret", SECRET + ENTER),
            ("Do this", None),
        ]:
            terminal.expect(question)
            if question == state:
                break
            terminal.send(reply)
        terminal.send(key)
        terminal.expect("cancelled: nothing was changed")
    assert terminal.exitstatus == 1
    assert project.secrets() == {} and project.file.read_text() == text


def test_no_is_an_answer(project):
    text = project.file.read_text()
    with project.terminal() as terminal:
        terminal.expect("Which platforms")
        terminal.send(ENTER)
        pick(terminal, "The secret for GitHub", "generate")
        answer(terminal, "Do this", "n")
        terminal.expect("cancelled: nothing was changed")
    assert terminal.exitstatus == 1 and project.file.read_text() == text
