"""Notifications by e-mail, through the mail server that the environment names."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMessage

from monitoring.notify.transport import Message, NotConfigured, PermanentFailure, TemporaryFailure


class Email:
    """Sends plain text; a Message-ID made of the notification's id lets mailboxes recognise a repeat."""

    def send(self, target: str, secret: str, message: Message) -> None:
        """Deliver to one address."""
        if not settings.EMAIL_HOST:
            raise NotConfigured("No mail server is set: give EMAIL_HOST (and EMAIL_HOST_USER, ...) to the console.")
        # Line breaks in a subject would let a title forge headers.
        subject = " ".join(message.subject.split())[:200]
        mail = EmailMessage(subject, message.text, to=[target], headers={"Message-ID": f"<{message.id}@andon>"})
        try:
            mail.send()
        except BadHeaderError as error:
            raise PermanentFailure("the address holds a line break") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise PermanentFailure(f"the mail server refuses {target}: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryFailure(f"the mail server {settings.EMAIL_HOST} did not take it: {error}") from error
