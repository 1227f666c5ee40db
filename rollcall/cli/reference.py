"""The command reference, written from the commands themselves."""

from collections.abc import Iterator

import click


def write_reference(commands: tuple[click.Command, ...]) -> str:
    """Return docs/cli.md: every command with its arguments, options and help."""
    lines = [
        "# Command line",
        "",
        "Every command prints for people, and JSON with `--json`. `--org SLUG` picks the",
        "organisation where there are several, `--as EMAIL` the staff member who acts (default:",
        "the organisation's first super). Errors are one line on stderr; the exit status is 2 for",
        "wrong use and 1 where it failed. Written by `flask reference`.",
    ]
    for command in sorted(commands, key=lambda command: command.name or ""):
        lines += _section(command, f"flask {command.name}")
    return "\n".join(lines) + "\n"


def _section(command: click.Command, path: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        yield from ("", f"## {path}", "", (command.help or "").strip())
        for name in sorted(command.commands):
            typed = "" if name == getattr(command, "unnamed", None) else f" {name}"
            yield from _section(command.commands[name], f"{path}{typed}")
        return
    arguments = [p.make_metavar(_context(command)) for p in command.params if _is_argument(p)]
    yield from ("", f"### `{' '.join([path, *arguments])}`", "", (command.help or "").strip())
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        yield ""
    for option in options:
        yield f"- {_describe(command, option)}"


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _context(command: click.Command) -> click.Context:
    return click.Context(command)


def _describe(command: click.Command, option: click.Option) -> str:
    names = ", ".join(option.opts + option.secondary_opts)
    value = "" if option.is_flag else f" {option.make_metavar(_context(command))}"
    required = " (required)" if option.required else ""
    told = f": {option.help}" if option.help else ""
    return f"`{names}{value}`{required}{told}"
