"""Other described senders: the engine of `payment` under a second name, and so the same senders."""

from . import payment
from .payment import *  # noqa: F403

SAMPLE = "joined"


def identity(letter):
    kind, subject, event_id = payment.identity(letter)
    return kind.replace("payment.", "signed.", 1), subject, event_id
