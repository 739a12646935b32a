"""GitHub, by githubkit."""

import secrets
import uuid
from dataclasses import dataclass
from urllib.parse import urlencode

from githubkit.webhooks import sign

from . import Letter, expect_accepted

PAYLOAD = b'{"action":"opened","issue":{"number":1},"repository":{"full_name":"acme/widget"}}'
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Hook:
    """One webhook and its secret."""

    secret: str

    @classmethod
    def new(cls):
        return cls(secrets.token_hex(16))

    @property
    def credentials(self):
        return {"secret": self.secret}

    @property
    def secrets(self):
        return [self.secret]

    def letter(self, payload=PAYLOAD, event="issues", *, form=False, method="sha256"):
        """A delivery; `form` as the hook's content type, `method` sha1 as older senders sign."""
        body = urlencode({"payload": payload}).encode() if form else payload
        signature = "X-Hub-Signature-256" if method == "sha256" else "X-Hub-Signature"
        return Letter(
            payload=payload,
            body=body,
            headers={
                "Content-Type": FORM if form else "application/json",
                "User-Agent": "GitHub-Hookshot/0a1b2c3",
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": str(uuid.uuid4()),
                "X-GitHub-Hook-ID": "292430182",
                "X-GitHub-Hook-Installation-Target-ID": "79929171",
                "X-GitHub-Hook-Installation-Target-Type": "repository",
                signature: sign(self.secret, body, method),
            },
        )

    def acknowledged(self, response, letter):
        expect_accepted(response)
