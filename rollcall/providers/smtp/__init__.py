"""SMTP: e-mails through a mail server."""
