"""The stack as a user deploys it: the real SAM CLI and the real template, onto the local AWS."""

import json
import os
import platform
import re
import signal
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

import requests
from samtranslator.yaml_helper import yaml_parse

# First, since it makes the next ones importable.
import emulator  # noqa: F401
from servers import CLIENT_TIMEOUT, REGION, ROOT, Queue

# Both can be replaced: by an installed SAM CLI, or by a template that was built elsewhere.
SAM = Path(os.environ.get("SAM") or ROOT / ".venv-sam/bin/sam")
TEMPLATE = Path(os.environ.get("TEMPLATE") or ROOT / ".aws-sam/local/template.yaml")
LOCAL = {"Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"}
# What SAM uploads goes here; `--resolve-s3` would deploy a stack of its own for such a bucket.
ARTIFACTS = "letterbox-artifacts"
DEPLOY_TIMEOUT = 180


class SamError(Exception):
    """The SAM CLI failed or could not start; contains its output."""


def check_tools():
    """Raises an error that names what is missing, before anything is started."""
    if not SAM.exists():
        raise SamError(f"no SAM CLI at {SAM}: run `make setup`, or set SAM to where it is")
    if not TEMPLATE.exists():
        raise SamError(f"no built template at {TEMPLATE}: run `make build`")


@cache
def for_the_emulator():
    """The built template without alarms on metric math, which the emulator does not know; beside it, for its paths.

    As JSON: SAM and the emulator read it a dozen times for each deployment, and YAML takes them most of a second each time.
    """
    template = yaml_parse(TEMPLATE.read_text())
    template["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if "Metrics" not in resource.get("Properties", {})
    }
    copy = TEMPLATE.with_name("emulator.json")
    # Complete at any time: each process of the tests writes it, and SAM may be reading it for another one.
    own = copy.with_name(f"emulator.{os.getpid()}.json")
    # The dates are versions, of policies for example.
    own.write_text(json.dumps(template, default=str))
    return own.replace(copy)


def sam(aws, command, *arguments, config=None):
    """Runs the SAM CLI against the local AWS, and returns its output."""
    if config is None:
        # Set explicitly, so that no samconfig.toml of the user affects this deployment.
        config = aws.directory / "samconfig.toml"
        config.write_text("version = 0.1\n")
    with subprocess.Popen(
        [SAM, command, *arguments, "--region", REGION, "--config-file", config],
        cwd=aws.directory,
        env=aws.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C reaches the caller, which then ends SAM and its child processes.
        start_new_session=True,
    ) as child:
        try:
            printed, _ = child.communicate(timeout=DEPLOY_TIMEOUT)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    if child.returncode:
        output = [line for line in printed.splitlines() if line.strip() and "Uploading to" not in line]
        raise SamError("\n".join([f"`sam {command}` failed:", *output]))
    return printed


def given_credentials(aws, credentials, cards, prefix="given"):
    """Parameters that turn the providers of `credentials` on, each with a secret made here, and the card catalogue."""
    parameters = {
        provider.capitalize(): aws.secret(f"{prefix}/{provider}", text) for provider, text in credentials.items()
    }
    return parameters | {"OpencardCards": aws.upload(aws.bucket("letterbox-cards"), "cards.json", cards)}


class Stack:
    """One deployed stack."""

    def __init__(self, aws, name):
        self.aws = aws
        self.name = name
        # The id of its API: only a deployment changes it.
        self._api = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = aws.certificate or True

    def deploy(self, config=None, **parameters):
        """Creates the stack, or changes these parameters of it: those given, or else those of a configuration file."""
        self.make_artifacts_bucket()
        overrides = [f"{name}={value}" for name, value in (LOCAL | parameters).items()]
        sam(
            self.aws,
            "deploy",
            "--use-json",
            *["--template-file", for_the_emulator(), "--stack-name", self.name, "--s3-bucket", ARTIFACTS],
            *["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"],
            *([] if config else ["--parameter-overrides", *overrides]),
            config=config,
        )
        self.connect_routes()

    def make_artifacts_bucket(self):
        if ARTIFACTS not in [bucket["Name"] for bucket in self.aws.client("s3").list_buckets()["Buckets"]]:
            self.aws.bucket(ARTIFACTS)

    def delete(self):
        sam(self.aws, "delete", "--stack-name", self.name, "--s3-bucket", ARTIFACTS, "--no-prompts")

    def resources(self):
        """Logical to physical id of everything that the stack has now."""
        pages = self.aws.client("cloudformation").get_paginator("list_stack_resources")
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages.paginate(StackName=self.name)
            for resource in page["StackResourceSummaries"]
            if resource["ResourceStatus"] != "DELETE_COMPLETE"
        }

    def outputs(self):
        [stack] = self.aws.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def template_url(self):
        """The template as SAM uploaded it, for deployments without SAM."""
        text = self.aws.client("cloudformation").get_template(StackName=self.name)["TemplateBody"]
        text = text if isinstance(text, str) else json.dumps(text)
        self.aws.upload(ARTIFACTS, f"{self.name}.template", text)
        return f"{self.aws.endpoint}/{ARTIFACTS}/{self.name}.template"

    def queue(self):
        return Queue(self.aws.client("sqs"), self.outputs()["QueueUrl"])

    def dead_letters(self):
        return Queue(self.aws.client("sqs"), self.outputs()["DeadLetterQueueUrl"])

    def url(self, provider):
        """The URL at the local API Gateway; the output of the stack has the name that AWS would use."""
        self._api = self._api or self.resources()["HttpApi"]
        return f"{self.aws.endpoint}/_aws/execute-api/{self._api}/$default/{provider}"

    def send(self, provider, request, source=None):
        url = self.url(provider) + (f"/{source}" if source else "") + (f"?{request.query}" if request.query else "")
        return self._session.post(url, data=request.body, headers=request.headers, timeout=CLIENT_TIMEOUT)

    def connect_routes(self):
        """Creates the routes, as AWS does from the OpenAPI body of the API in the template; the emulator skips it."""
        gateway, functions = self.aws.client("apigatewayv2"), self.aws.client("lambda")
        deployed = self.resources()
        api = self._api = deployed["HttpApi"]
        for route in gateway.get_routes(ApiId=api)["Items"]:
            gateway.delete_route(ApiId=api, RouteId=route["RouteId"])
            gateway.delete_integration(ApiId=api, IntegrationId=route["Target"].removeprefix("integrations/"))
        for key, function, payload_format in self._declared_routes():
            # The routes of a provider that is off have the same condition as its function.
            if function not in deployed:
                continue
            arn = functions.get_function(FunctionName=deployed[function])["Configuration"]["FunctionArn"]
            integration = gateway.create_integration(
                ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion=payload_format
            )
            target = f"integrations/{integration['IntegrationId']}"
            gateway.create_route(ApiId=api, RouteKey=key, Target=target)

    def _declared_routes(self):
        """Route key, logical id of the function, and payload format, from the body that SAM generated."""
        template = self.aws.client("cloudformation").get_template(
            StackName=self.name, TemplateStage="Processed"
        )["TemplateBody"]
        template = json.loads(template) if isinstance(template, str) else template
        for path, methods in template["Resources"]["HttpApi"]["Properties"]["Body"]["paths"].items():
            for method, operation in unconditional(methods).items():
                integration = unconditional(operation)["x-amazon-apigateway-integration"]
                [function] = re.findall(r"\$\{(\w+)\.Arn\}", json.dumps(integration["uri"]))
                method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
                yield f"{method} {path}", function, integration["payloadFormatVersion"]


def unconditional(node):
    """The value that CloudFormation uses if the condition around it is true."""
    return node["Fn::If"][1] if "Fn::If" in node else node
