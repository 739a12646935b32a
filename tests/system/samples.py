"""The sample events of `events`, and the credentials with which they are accepted now."""

import json
import time
from datetime import datetime
from pathlib import Path

from platforms import PLATFORMS

EVENTS = Path(__file__).resolve().parents[2] / "events"
# When the sample events are signed, and half of what the one of them that is too old is older.
SIGNED_AT = datetime.fromisoformat("2026-11-21T10:00:00Z").timestamp()
HALF = 1800


def demo_credentials(provider):
    """Those of the demo. Where an entry has a tolerance by default, its is such that the sample events are fresh."""
    credentials = json.loads((EVENTS / provider / "credentials.json").read_text())
    if PLATFORMS[provider].EXPIRES:
        tolerance = {"tolerance": int(abs(time.time() - SIGNED_AT)) + HALF}
        credentials = {
            source: [each | tolerance for each in entry] if isinstance(entry, list) else entry | tolerance
            for source, entry in credentials.items()
        }
    return json.dumps(credentials)
