"""The senders' own npm packages, as node/sign.mjs uses them."""

import json
import subprocess

from servers import ROOT


def in_node(requests):
    """What the npm packages sign, or judge: one answer for each request."""
    done = subprocess.run(
        ["node", ROOT / "tests/system/node/sign.mjs"],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
