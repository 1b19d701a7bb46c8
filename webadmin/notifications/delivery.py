"""Delivery: one attempt at a time, tried again after pauses, each outcome noted in words."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Callable
from datetime import datetime

from webadmin import clock, config
from webadmin.config import Config
from webadmin.errors import N_, Message
from webadmin.notifications import calls, log, mail
from webadmin.notifications.connections import NotDelivered
from webadmin.notifications.log import RETRIES, Destination, Entry, Outcome
from webadmin.notifications.texts import Content

ID_HEADER = "X-Notification-Id"
TIMESTAMP_HEADER = "X-Notification-Timestamp"
SIGNATURE_HEADER = "X-Notification-Signature"
_log = logging.getLogger(__name__)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of the signature header: HMAC-SHA256 over the timestamp, a dot and the body, in hexadecimal digits."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def set_up(values: Config) -> list[Destination]:
    """The destinations that these settings have all values for."""
    has = {
        Destination.WEBHOOK: values.webhook_url and values.webhook_secret,
        Destination.MAIL: values.smtp_host and values.mail_from and values.mail_to,
        Destination.HEARTBEAT: values.heartbeat_url,
    }
    return [destination for destination in Destination if has[destination]]


def deliver_due(now: datetime) -> None:
    """Send what is due. Raises RuntimeUnavailable."""
    for entry in log.due(now):
        deliver(entry)


def deliver(entry: Entry) -> Entry:
    """Make one attempt, unless another process makes it; returns the row as it is then. Raises RuntimeUnavailable."""
    if not log.claim(entry, clock.now()):
        return log.get(entry.id)
    is_delivered, answer = attempt(entry.destination, entry.content)
    now, next_at, outcome = clock.now(), None, Outcome.DELIVERED
    if not is_delivered:
        outcome = Outcome.FAILED
        if entry.attempts < len(RETRIES):
            outcome, next_at = Outcome.WAITING, now + RETRIES[entry.attempts]
    log.close(entry, outcome, answer, next_at=next_at, now=now)
    return log.get(entry.id)


def send_again(id: str) -> Entry:
    """Send one of the log again, now; returns the row as it is then. Raises NotFound, Conflict, RuntimeUnavailable."""
    return deliver(log.reopen(id, clock.now()))


def attempt(destination: Destination, content: Content) -> tuple[bool, Message]:
    """Send it now: whether it arrived, and what was answered. Never fails."""
    values = config.current()
    try:
        if destination not in set_up(values):
            raise NotDelivered(N_("This destination is not set up."))
        answer = _SENDERS[destination](content, values)
    except NotDelivered as error:
        _log.warning("notification %s (%s) by %s: %s", content.id, content.event, destination, error)
        return False, error.message
    except Exception as error:
        _log.exception("notification %s (%s) by %s failed", content.id, content.event, destination)
        return False, Message(N_("Something unexpected happened: %(name)s"), {"name": type(error).__name__})
    _log.info("notification %s (%s) by %s: %s", content.id, content.event, destination, answer)
    return True, answer


def _send_webhook(content: Content, values: Config) -> Message:
    body = json.dumps(content.as_json(), ensure_ascii=False).encode()
    timestamp = str(int(clock.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        ID_HEADER: content.id,
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(values.webhook_secret or "", timestamp, body),
    }
    return calls.call(values.webhook_url or "", method="POST", body=body, headers=headers)


def _call_heartbeat(_content: Content, values: Config) -> Message:
    return calls.call(values.heartbeat_url or "", method="GET")


_SENDERS: dict[Destination, Callable[[Content, Config], Message]] = {
    Destination.WEBHOOK: _send_webhook,
    Destination.MAIL: mail.send,
    Destination.HEARTBEAT: _call_heartbeat,
}
