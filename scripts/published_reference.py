"""The pages of docs/reference/, made from the code: settings, commands, endpoints, events, webhooks."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import typer.main

from flamewire_ledger.cli.commands import app
from flamewire_ledger.settings import PREFIX, Settings
from flamewire_ledger.webhooks.catalog import KINDS
from flamewire_ledger.webhooks.endpoint_messages import TEST

_MADE = "<!-- Made by scripts/schemas. Change the code, not this page. -->\n\n"


def reference(openapi: Mapping[str, Any], event_classes: Iterable[type[Any]]) -> dict[Path, str]:
    """Every page, by its path under docs/reference/."""
    return {
        Path("settings.md"): _MADE + _settings(),
        Path("commands.md"): _MADE + _commands(),
        Path("endpoints.md"): _MADE + _endpoints(openapi),
        Path("events.md"): _MADE + _events(event_classes),
        Path("webhooks.md"): _MADE + _webhooks(),
    }


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def _settings() -> str:
    rows = [
        (f"`{PREFIX}{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    intro = (
        "Every setting is an environment variable. A value that is wrong stops the start with one sentence; a variable "
        f"that begins with `{PREFIX}` and is no setting is named in a warning.\n\n"
    )
    return "# Settings\n\n" + intro + _table(("setting", "default", "what it is"), rows)


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"


def _commands() -> str:
    text = "# Commands\n\nData goes to stdout, words to stderr. Exit codes: 0 done, 1 the thing asked about is not so, "
    text += "2 wrong use, 3 a service is missing.\n"
    for path, command in _leaves("flamewire", typer.main.get_command(app)):
        text += f"\n## `{path}`\n\n{command.help or ''}\n\n"
        rows = [(f"`{_spelling(it)}`", _help(it)) for it in command.params]
        text += _table(("argument or option", "what it is"), rows) if rows else ""
    return text


def _leaves(path: str, command: Any) -> Iterable[tuple[str, Any]]:
    """Every command that does something, with its full name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from _leaves(f"{path} {name}", child)


def _spelling(parameter: Any) -> str:
    names = [name for name in parameter.opts if name.startswith("-")]
    return ", ".join(names) if names else str(parameter.name).upper().rstrip("_")


def _help(parameter: Any) -> str:
    return str(getattr(parameter, "help", None) or "")


def _endpoints(openapi: Mapping[str, Any]) -> str:
    rows = [
        (f"`{method.upper()} {path}`", operation.get("summary", ""))
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
        if method in ("get", "post", "put", "patch", "delete")
    ]
    intro = "All of it, with bodies and problems: `/docs` of a running ledger, `schemas/openapi/v1.json`.\n\n"
    return "# Endpoints\n\n" + intro + _table(("endpoint", "what it does"), rows)


def _events(event_classes: Iterable[type[Any]]) -> str:
    rows = []
    for event in sorted(event_classes, key=lambda it: str(it.type)):
        says = inspect.getdoc(event) or ""
        if says.startswith(f"{event.__name__}("):
            says = ""  # what dataclasses write by themselves says nothing
        names = [field.name for field in fields(event)]
        carries = ", ".join(f"`{name}`" for name in names)
        rows.append((f"`{event.type}`", says.split("\n\n")[0].replace("\n", " "), carries))
    intro = "A released type is never edited: a new shape is a new version. JSON schemas: `schemas/events/`.\n\n"
    return "# Events\n\n" + intro + _table(("type", "says", "carries"), rows)


def _webhooks() -> str:
    rows = [
        (
            f"`{kind.type}`",
            kind.says,
            ", ".join(f"`{name}`" for name in kind.data.__struct_encode_fields__),
        )
        for kind in (*KINDS, TEST)
    ]
    intro = (
        "What an endpoint is told of. Each has `id`, `event`, `type` (the same), `timestamp`, `sequence`, `livemode` "
        "and `data`; members may be added. JSON schemas, each with an example: `schemas/webhooks/`. "
        "How to receive them: [receive webhooks](../guides/receive-webhooks.md).\n\n"
    )
    return "# Webhooks\n\n" + intro + _table(("type", "says", "`data`"), rows)
