"""Other described senders: the engine of `payment` under a second name, and so the same senders."""

from . import payment
from .payment import *  # noqa: F403

SAMPLE = "joined"


def identity(request):
    kind, subject, event_id = payment.identity(request)
    return kind.replace("payment.", "signed.", 1), subject, event_id
