"""Mail, by the server of the settings."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime

from webadmin.config import Config
from webadmin.errors import N_, Message
from webadmin.notifications.connections import STEP_SECONDS, Line, NotDelivered, limited
from webadmin.notifications.texts import Content

_LONGEST_REASON = 200


def send(content: Content, values: Config) -> Message:
    """Send one mail to all of MAIL_TO; returns what became of it, in words. Raises NotDelivered."""
    host, sender, to = values.smtp_host, values.mail_from, values.mail_to
    if not (host and sender and to):
        raise NotDelivered(N_("Mail is not set up."))
    with limited(host) as line:
        try:
            with _signed_in(host, line, values) as server:
                refused = server.send_message(_composed(content, sender, to), sender, to)
        except ssl.SSLError:  # Which may be a ValueError too.
            raise
        except (smtplib.SMTPException, ValueError) as error:
            if line.is_over:
                raise TimeoutError from error
            raise _in_words(error, host) from error
    if refused:
        names = ", ".join(sorted(refused))
        return Message(N_("%(host)s took it, but not for: %(names)s"), {"host": host, "names": names})
    return Message(N_("%(host)s took it."), {"host": host})


class _Server(smtplib.SMTP):
    """A server that is reached by a line; `tls` is the context where TLS begins at once."""

    def __init__(self, host: str, port: int, line: Line, tls: ssl.SSLContext | None) -> None:
        self._line, self._tls = line, tls
        super().__init__(host, port, local_hostname=socket.gethostname(), timeout=STEP_SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = self._line.open(host, port)
        return self._tls.wrap_socket(connection, server_hostname=host) if self._tls else connection


def _signed_in(host: str, line: Line, values: Config) -> _Server:
    context = ssl.create_default_context()
    server = _Server(host, values.smtp_port, line, context if values.smtp_tls == "tls" else None)
    try:
        if values.smtp_tls == "starttls":
            server.starttls(context=context)
        if values.smtp_user and values.smtp_password:
            server.login(values.smtp_user, values.smtp_password)
    except BaseException:
        server.close()
        raise
    return server


def _composed(content: Content, sender: str, to: tuple[str, ...]) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = f"[{content.site}] {content.title}"
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Date"] = format_datetime(content.instant)
    mail["Message-ID"] = f"<{content.id}@{sender.rpartition('@')[2]}>"
    # RFC 3834, 5: no holiday notes in return.
    mail["Auto-Submitted"] = "auto-generated"
    # Servers that take no bytes beyond 7 bits are still about.
    mail.set_content(content.as_text(), cte="quoted-printable")
    return mail


def _in_words(error: Exception, host: str) -> NotDelivered:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return NotDelivered(N_("%(host)s did not accept user name and password."), host=host)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return NotDelivered(N_("%(host)s offers no STARTTLS, or no way to sign in."), host=host)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return NotDelivered(N_("%(host)s ended the connection."), host=host)
    reason = str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        reason = f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        reason = ", ".join(sorted(error.recipients))
    shown = "".join(each if each.isprintable() else " " for each in reason)[:_LONGEST_REASON]
    return NotDelivered(N_("%(host)s did not take it: %(reason)s"), host=host, reason=shown)
