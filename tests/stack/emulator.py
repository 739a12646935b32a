"""A local AWS (ministack): CloudFormation, API Gateway, Lambda running the real binaries, SQS, S3, secrets, IAM."""

import os
import sys
from pathlib import Path

# The user's own AWS configuration must not reach the clients of this process: removed before they are imported.
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]

# The one place that makes `servers`, `messages` and `platforms` importable here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import boto3
from botocore.config import Config

from servers import LOCAL_AWS, REGION, START_TIMEOUT, Process, base_environment, free_port, listens, until

os.environ |= base_environment() | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

# In seconds, between two requests for what is awaited: the local AWS that answers them calls the functions as well.
PAUSE = 0.2


class Emulator:
    """One ministack on the loopback interface. The functions are its children and end with it.

    `strict` makes it enforce IAM: the deployer's key is the account's root, each function has its own role.
    It speaks TLS then, since the policies of queues and bucket admit nothing else.
    """

    def __init__(self, directory, port=None, strict=False):
        self.port = port or free_port()
        self.endpoint = f"{'https' if strict else 'http'}://127.0.0.1:{self.port}"
        self.directory = Path(directory)
        # It creates the certificate when it starts.
        self.certificate = self.directory / "ministack-tls/server.crt" if strict else None
        trust = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] if strict else []
        self.environment = base_environment() | {
            # Functions inherit it, and so send their requests to this server.
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            # Nothing is written to the user's home, and unpacked files are deleted with the directory.
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "SAM_CLI_TELEMETRY": "0",
            # Seconds between two checks of a deployment; the default of five would be most of the time here.
            "SAM_CLI_POLL_DELAY": "0.2",
        } | {name: str(self.certificate) for name in trust}
        settings = {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self.directory),
            "AUTH": str(strict).lower(),
            "USE_SSL": str(strict).lower(),
        }
        self._clients = {}
        log = self.directory / f"emulator-{self.port}.log"
        self._process = Process([sys.executable, LOCAL_AWS], log, self.environment | settings)
        until(self._listens, START_TIMEOUT, "the local AWS")

    def expect_alive(self):
        self._process.expect_alive()

    def _listens(self):
        self.expect_alive()
        return listens(self.port)

    def client(self, service):
        """AWS's own client, with the deployer's key; made once, which takes as long as several requests."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=REGION,
                verify=str(self.certificate) if self.certificate else None,
                config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}),
            )
        return self._clients[service]

    def bucket(self, name):
        self.client("s3").create_bucket(Bucket=name)
        return name

    def secret(self, name, text):
        """Creates a Secrets Manager secret and returns its ARN."""
        return self.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"]

    def upload(self, bucket, key, body):
        """Puts an object and returns its `s3://` URL."""
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def stop(self):
        self._process.stop()
