"""Deploys the stack onto a local AWS, with the demo credentials, until Ctrl-C. Run by `make deploy-local`.

On standard output, a line each: `url <provider> <url>`, `queue <url>`, `dlq <url>`, then `ready`.
It prints its progress to standard error.
SAM and TEMPLATE in the environment name another SAM CLI and another built template.
"""

import argparse
import signal
import sys
import tempfile
import time
from contextlib import contextmanager

from emulator import Emulator
from servers import PROVIDERS, ROOT, listens, stop_all
from stack import SamError, Stack, check_tools, given_credentials

# Set even if the shell ignores Ctrl-C, as it does for background jobs.
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def tell(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


@contextmanager
def step(text):
    """Prints the step, and then how long it took."""
    tell(f"{text} ...", end="")
    started = time.monotonic()
    try:
        yield
    except BaseException:
        tell("")
        raise
    tell(f" {time.monotonic() - started:.1f} s")


def demo(aws):
    """The parameters of a stack that has everything on and the demo credentials."""
    credentials = {name: (ROOT / "events" / name / "credentials.json").read_text() for name in PROVIDERS}
    cards = (ROOT / "functions/opencard/cards.json").read_bytes()
    return given_credentials(aws, credentials, cards)


def serve(arguments, directory):
    with step(f"starting a local AWS on port {arguments.port}"):
        aws = Emulator(directory, arguments.port, arguments.strict)
    if aws.certificate:
        tell(f"its certificate: {aws.certificate}")
    stack = Stack(aws, arguments.stack_name)
    with step("making the demo credentials and the card catalogue"):
        parameters = demo(aws)
    with step(f"sam deploy --stack-name {stack.name}"):
        stack.deploy(**parameters)
    outputs = stack.outputs()
    for provider in PROVIDERS:
        print("url", provider, stack.url(provider))
    print("queue", outputs["QueueUrl"])
    print("dlq", outputs["DeadLetterQueueUrl"])
    print("ready", flush=True)
    tell("Ctrl-C ends it and removes everything")
    try:
        while True:
            aws.expect_alive()
            time.sleep(1)
    except KeyboardInterrupt:
        tell("\nremoving it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4566, help="of the local AWS (default: %(default)s)")
    parser.add_argument("--stack-name", default="letterbox", help="default: %(default)s")
    parser.add_argument("--strict", action="store_true", help="enforce IAM, over TLS with a certificate of its own")
    arguments = parser.parse_args()

    for number in ENDS:
        signal.signal(number, signal.default_int_handler)
    try:
        check_tools()
        if listens(arguments.port):
            raise SamError(f"port {arguments.port} is taken: choose another one, `make deploy-local PORT=4666`")
        with tempfile.TemporaryDirectory(prefix="letterbox-", ignore_cleanup_errors=True) as directory:
            try:
                serve(arguments, directory)
            finally:
                # A second Ctrl-C must not interrupt the cleanup.
                for number in ENDS:
                    signal.signal(number, signal.SIG_IGN)
                stop_all()
    except KeyboardInterrupt:
        sys.exit("deploy-local: ended before it was ready")
    except (SamError, AssertionError) as error:
        sys.exit(f"deploy-local: {error}")


if __name__ == "__main__":
    main()
