"""Checks a deployed stack for what no emulator can show, and prints a report. Run by `make first-hour STACK=letterbox`.

Without --yes it only reads, and asks on a terminal before it sends deliveries or creates anything. Those are a few dozen
requests, two or three events, and a change set that is not executed: less than a cent. All of it is removed at the end, also
after Ctrl-C. A consumer that already reads the queue receives the events; they have the type github.ping.
AWS credentials, region and endpoints come from the usual configuration of the AWS SDKs.

Exit status: 0 nothing differs from what is expected, 1 something does, 2 the checks could not start, 130 interrupted.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from account import NO_CREDENTIALS, Account, CannotStart
from checks import CHECKS
from report import Report

# After these, what was created is still removed.
ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def tell(text):
    print(text, file=sys.stderr, flush=True)


def parse(arguments):
    names = "\n".join(f"  {check.name:<15}{check.what}" for check in CHECKS)
    parser = argparse.ArgumentParser(
        prog="first-hour",
        description=__doc__,
        epilog=f"checks:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", default="letterbox", metavar="NAME", help="the deployed stack (default: %(default)s)")
    parser.add_argument("--region", help="default: AWS_REGION, AWS_DEFAULT_REGION or the profile's region")
    parser.add_argument("--profile", help="a profile of the AWS configuration (default: AWS_PROFILE)")
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="where the API is reached (default: the address in the stack's outputs); needed for a local AWS",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the report to this file")
    parser.add_argument(
        "--only", metavar="CHECK,...", type=lambda text: text.split(","), help="run these checks (default: all, see below)"
    )
    parser.add_argument(
        "--wait",
        type=int,
        metavar="SECONDS",
        help="the longest wait for logs and metrics (default: 300; 0 if the endpoint is not AWS)",
    )
    parser.add_argument("--yes", action="store_true", help="send deliveries and create the change set without asking")
    parsed = parser.parse_args(arguments)
    unknown = set(parsed.only or []) - {check.name for check in CHECKS}
    if unknown:
        parser.error(f"--only: no check is called {', '.join(sorted(unknown))}; --help lists them")
    if parsed.wait is not None and parsed.wait < 0:
        parser.error("--wait: expected 0 or more seconds")
    if parsed.out and not parsed.out.resolve().parent.is_dir():
        parser.error(f"--out: the folder of {parsed.out} does not exist; create it first")
    return parsed


def consent(chosen, given):
    """True if the checks that send or create something may run."""
    if given or not any(check.changes for check in chosen):
        return given
    names = ", ".join(check.name for check in chosen if check.changes)
    if not sys.stdin.isatty():
        tell(f"not run without --yes, because they send deliveries or create something: {names}")
        return False
    tell(f"These checks send deliveries or create something, and remove it afterwards: {names}.")
    sys.stderr.write("Run them? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def run(arguments):
    try:
        session = boto3.session.Session(profile_name=arguments.profile, region_name=arguments.region)
    except ProfileNotFound:
        raise CannotStart(NO_CREDENTIALS) from None
    account = Account(session, arguments.stack, arguments.base_url, arguments.wait, tell)
    chosen = [check for check in CHECKS if not arguments.only or check.name in arguments.only]
    allowed = consent(chosen, arguments.yes)
    report = Report(account)
    try:
        for number, check in enumerate(chosen, 1):
            tell(f"[{number}/{len(chosen)}] {check.name}: {check.what}")
            report.add(check, check.judge(account, allowed))
    finally:
        # A second Ctrl-C must not interrupt this.
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)
        for problem in account.remove_what_was_made():
            tell(account.redact(f"not removed: {problem}"))
    text = report.markdown()
    print(text, end="", flush=True)
    if arguments.out:
        arguments.out.write_text(text)
    return 1 if report.differs() else 0


def main():
    for number in ENDS:
        signal.signal(number, signal.default_int_handler)
    try:
        # Any profile without region: botocore takes only AWS_DEFAULT_REGION from the environment.
        if os.environ.get("AWS_REGION"):
            os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
        sys.exit(run(parse(sys.argv[1:])))
    except KeyboardInterrupt:
        tell("first-hour: interrupted; what it created is removed")
        sys.exit(130)
    except CannotStart as error:
        tell(f"first-hour: {error}")
    except (BotoCoreError, ClientError, OSError) as error:
        tell(f"first-hour: {type(error).__name__}: the AWS request failed; check credentials, region and network")
    sys.exit(2)


if __name__ == "__main__":
    main()
