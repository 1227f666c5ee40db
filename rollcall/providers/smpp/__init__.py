"""SMPP 3.4: text messages to an SMSC, over one session a process."""
