"""Any gateway that takes text messages by HTTP, described in a file of its own."""
