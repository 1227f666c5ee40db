"""A dry run in a few lines, for `flask campaign show`."""

from typing import Any

from rollcall.wording import say_money, say_people


def dry_run_lines(document: dict[str, Any]) -> list[str]:
    """Return what a campaign's document says of its dry run; nothing for one that is none."""
    found = document["dry_run"]
    if found is None:
        return []
    lines = [
        f"Dry run            at most {found['limit']} messages, all to {found['address']}; "
        "nobody of the list is messaged"
    ]
    if found["cost"] is not None:
        lines.append(f"  the real one costs about {say_money(found['cost'], found['currency'])}")
    lines += [f"  would have stopped for review: {text}" for text in found["would_stop"]]
    lines += [f"  would have warned: {text}" for text in found["warnings"]]
    if found["quiet_hours"] and found["quiet_hours"]["people"]:
        lines.append(f"  in their quiet hours: {say_people(found['quiet_hours']['people'])}")
    for message in found["messages"]:
        text = " | ".join(filter(None, (message["subject"], message["message"])))
        lines.append(f"  {message['outcome'].replace('_', ' ')}: {text} – {message['answer']}")
    return lines
