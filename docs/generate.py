"""Write docs/reference from the code: `make docs`. With --check, say what is out of date instead.

Each page is made from the one list the code itself reads, so a setting, an event, an error, a
durable step or a command that exists is documented, and one that is documented exists.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import jigap
from jigap import audit, cli, events, settings, steps
from jigap.refusal import Refusal, every_refusal
from jigap.web import describe, site
from jigap.web.problems import STATUS

ANY_ROUTE = frozenset(
    {
        "request_malformed",
        "request_invalid",
        "media_type_unsupported",
        "body_too_large",
        "shield_refused",
        "shield_damaged",
        "rate_limited",
    }
)
FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Made by `make docs` from {source}; edit that. -->"


def pages() -> dict[str, str]:
    """File name -> text of every generated page."""
    return {
        "settings.md": settings_page(),
        "events.md": events_page(),
        "audit.md": audit_page(),
        "errors.md": errors_page(),
        "steps.md": steps_page(),
        "cli.md": cli_page(),
        "api.md": api_page(),
    }


def settings_page() -> str:
    rows = [
        (f"`{name}`", f"`{default}`" if default != "" else "", help_)
        for name, default, help_ in settings.describe()
    ]
    return page(
        "Settings",
        "src/jigap/settings.py",
        "A value comes from, the last one wins: the default, `jigap.toml` in the data folder, an "
        "environment variable (`port` is `JIGAP_PORT`), the command line. `jigap config show` "
        "prints what is in force; secrets are masked.",
        table(("Setting", "Default", "Meaning"), rows),
    )


def events_page() -> str:
    rows = [(f"`{kind}`", meaning) for kind, meaning in events.KINDS.items()]
    return page(
        "Events",
        "src/jigap/events.py",
        "An event is saved in the transaction that changes the state it speaks of. The dispatcher "
        "gives each a number; the numbers have no gaps.",
        table(("Kind", "Meaning"), rows),
    )


def audit_page() -> str:
    rows = [(f"`{action}`", meaning) for action, meaning in audit.ACTIONS.items()]
    return page(
        "Audit trail",
        "src/jigap/audit/trail.py",
        "Every action that the trail can hold, `subject:action`. A row is written in the "
        "transaction that makes the change, with actor, object, time, address and outcome, and "
        "with nothing personal. How the trail is sealed and checked: [audit](../guides/audit.md).",
        table(("Action", "Meaning"), rows),
    )


def errors_page() -> str:
    import_everything()
    rows = [
        (
            f"`{refusal.code}`",
            str(status_of(refusal)),
            "yes" if refusal.retryable else "no",
            one_line(refusal.__doc__),
            refusal.hint,
        )
        for refusal in every_refusal()
        if refusal.__module__.startswith("jigap.")
    ]
    return page(
        "Errors",
        "the refusals beside their rules",
        'Every expected "no" has a stable code. Over HTTP it is problem details (RFC 9457) with '
        "this code; on the command line it is one line and exit status 1. *Retry* says whether the "
        "very same request may succeed later.",
        table(("Code", "HTTP", "Retry", "Meaning", "What to do"), rows),
    )


def status_of(refusal: type[Refusal]) -> int:
    """The HTTP status: what the kind says, unless the refusal is about HTTP and has its own."""
    own = getattr(refusal, "status", None)
    return own if isinstance(own, int) else STATUS[refusal.kind]


def api_page() -> str:
    described = describe.openapi(site.routes())
    sections = []
    for tag in described["tags"]:
        operations = [
            api_section(path, method, operation, described["components"]["schemas"])
            for path, methods in described["paths"].items()
            for method, operation in methods.items()
            if operation["tags"] == [tag["name"]]
        ]
        sections.append("\n\n".join([f"## {tag['name'].capitalize()}", *operations]))
    return page(
        "JSON API",
        "src/jigap/web/resources",
        "The same as `/openapi.json`, to read. Amounts are decimal strings in whole tokens, times "
        "RFC 3339 in UTC. Every error is problem details with a stable `code` (see "
        "[errors](errors.md)). Besides the refusals below, any route may say `request_malformed`, "
        "`request_invalid` or `media_type_unsupported`, and a body over 64 kB `body_too_large`; "
        "the shield may say `shield_refused`, `rate_limited`, and where something would be changed "
        "`shield_damaged`.",
        "\n\n".join(sections),
    )


def api_section(path: str, method: str, operation: Any, schemas: dict[str, Any]) -> str:
    needs = [
        *(["a session"] if "security" in operation else []),
        *(f"`{one['name']}`" for one in operation["parameters"] if one["required"]),
    ]
    allows = [f"`{one['name']}`" for one in operation["parameters"] if not one["required"]]
    codes = [
        f"`{code}`"
        for status, answer in operation["responses"].items()
        for code in answer.get("content", {})
        .get("application/problem+json", {})
        .get("examples", {})
        if code not in ANY_ROUTE
    ]
    lines = [
        f"* Needs {', '.join(needs)}." if needs else "",
        f"* Understands {', '.join(allows)}." if allows else "",
        f"* Body: {shape(operation['requestBody'], schemas)}" if "requestBody" in operation else "",
        *(
            f"* Answer {status}: {shape(answer, schemas)}"
            for status, answer in operation["responses"].items()
            if status.startswith("2")
        ),
        f"* Refusals: {', '.join(codes)}." if codes else "",
    ]
    head = f"### `{method.upper()} {path}`\n\n{operation['summary']}."
    return "\n\n".join(
        [f"{head} {operation.get('description', '')}".strip(), "\n".join(filter(None, lines))]
    )


def shape(part: dict[str, Any], schemas: dict[str, Any]) -> str:
    """The members of a body in one line; those that may be left away have a question mark."""
    schema = part.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return "none."
    if "items" in schema:
        return "list of " + shape(
            {"content": {"application/json": {"schema": schema["items"]}}}, schemas
        )
    found = schemas[schema["$ref"].rpartition("/")[2]]
    if {"items", "next"} == found["properties"].keys():
        rows = found["properties"]["items"]["items"]
        return "page of " + shape({"content": {"application/json": {"schema": rows}}}, schemas)
    required = found.get("required", [])
    members = [f"`{name}{'' if name in required else '?'}`" for name in found["properties"]]
    words = one_line(found.get("description"))
    return f"{', '.join(members)}. {words}".strip()


def steps_page() -> str:
    rows = [(f"`{name}`", meaning) for name, meaning in steps.STEPS.items()]
    return page(
        "Durable steps",
        "src/jigap/steps.py",
        "What must survive a crash is written in named steps. A crash test sets `JIGAP_CRASH_AT` "
        "to `name:before`, `name:after` or `name:before#3`, and the process leaves there as if the "
        "power had gone.",
        table(("Step", "What is on disk once it is done"), rows),
    )


def cli_page() -> str:
    root = typer.main.get_command(cli.commands)
    return page(
        "Command line",
        "src/jigap/cli",
        "Exit status 0: done; 1: it could not be done, one line on stderr says why; 2: the command "
        "was not written as below.",
        "\n\n".join(command_section(path, command) for path, command in leaves("jigap", root)),
    )


def leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with the words that call it."""
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(None):
        child = command.get_command(None, name)
        if not child.hidden:
            yield from leaves(f"{path} {name}", child)


def command_section(path: str, command: Any) -> str:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    words = [one.metavar or one.name.upper() for one in shown if one.param_type_name == "argument"]
    rows = [
        (", ".join(f"`{word}`" for word in (*one.opts, *one.secondary_opts)), option_help(one))
        for one in shown
        if one.param_type_name == "option"
    ]
    parts = [f"## `{' '.join([path, *words])}`", paragraphs(command.help)]
    if rows:
        parts.append(table(("Option", "Meaning"), rows))
    return "\n\n".join(parts)


def option_help(option: Any) -> str:
    value = option.default
    shown = (
        f" Default: `{value}`." if isinstance(value, int | str) and value not in (False, "") else ""
    )
    return f"{option.help or ''}{shown}".strip()


def page(title: str, source: str, introduction: str, body: str) -> str:
    return f"{NOTE.format(source=source)}\n# {title}\n\n{introduction}\n\n{body}\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(one_line(cell) for cell in line) + " |" for line in lines)


def one_line(text: str | None) -> str:
    first = (text or "").strip().split("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|")


def paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").strip().split("\n\n"))


def import_everything() -> None:
    """So that every refusal there is has been seen."""
    for module in pkgutil.walk_packages(jigap.__path__, "jigap."):
        if not module.name.startswith("jigap.migrations.") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def out_of_date() -> list[str]:
    """The names of the pages that the code would write differently."""
    return [
        name
        for name, text in pages().items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]


def main() -> None:
    if "--check" in sys.argv[1:]:
        if stale := out_of_date():
            sys.exit(f"docs/reference is out of date, run `make docs`: {', '.join(stale)}")
        return
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
