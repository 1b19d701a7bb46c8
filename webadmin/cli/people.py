"""`flask user …`, `flask token …`, `flask setup-code`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from webadmin import accounts, audit
from webadmin.accounts import COMMAND_LINE, Actor, ListedToken, Purpose, User
from webadmin.cli.output import Command, Failed, is_terminal, note, show_json, show_table, tell
from webadmin.db import db, transaction

user = AppGroup("user", help="People who may sign in.")
token = AppGroup("token", help="Tokens with which programs call the API.")

_IN_JSON_ONLY = frozenset({"rotatedAt", "oldTextUsedAt"})
_role = click.option("--role", required=True, metavar="ROLE", help="viewer, editor, reviewer or admin.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@user.command("add", cls=Command)
@click.argument("name")
@_role
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, its first line.")
def add_user(name: str, role: str, password_stdin: bool) -> None:
    """Add a person; asks for a password."""
    accounts.check_role(role)
    password = _password(from_stdin=password_stdin)
    with transaction() as session:
        added = accounts.add_user(session, COMMAND_LINE, name, password, role=role).name
    accounts.forget_setup_code()
    tell(f"Added {added}.")


@user.command("list", cls=Command)
@_json
def list_users(as_json: bool) -> None:
    """List who may sign in."""
    people = accounts.list_users(db.session())
    rows = [(p.name, p.role, p.created_at, p.created_by, p.deactivated_at) for p in people]
    if as_json:
        keys = ("name", "role", "createdAt", "createdBy", "deactivatedAt")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        show_table(("NAME", "ROLE", "ADDED", "BY", "DEACTIVATED"), rows)


@user.command("change", cls=Command)
@click.argument("name")
@click.option("--name", "new_name", metavar="NEW", help="Another name.")
@click.option("--role", metavar="ROLE", help="Another role.")
def change_user(name: str, new_name: str | None, role: str | None) -> None:
    """Give a person another name or role."""
    with transaction() as session:
        person = accounts.get_person_named(session, name)
        accounts.change_person(
            session,
            COMMAND_LINE,
            person.id,
            name=person.name if new_name is None else new_name,
            role=role or person.role,
        )
        name, role = person.name, person.role
    tell(f"{name} is {role} now.")


@user.command("deactivate", cls=Command)
@click.argument("name")
def deactivate_user(name: str) -> None:
    """Keep a person out from now on; their sessions end."""
    tell(f"{_about(name, accounts.deactivate)} cannot sign in any more.")


@user.command("activate", cls=Command)
@click.argument("name")
def activate_user(name: str) -> None:
    """Let a person in again."""
    tell(f"{_about(name, accounts.activate)} can sign in again.")


@user.command("sign-out", cls=Command)
@click.argument("name")
def sign_out_user(name: str) -> None:
    """End every session of a person."""
    tell(f"{_about(name, accounts.sign_out)} is signed out everywhere.")


@user.command("reset-password", cls=Command)
@click.argument("name")
def reset_password(name: str) -> None:
    """Give a person a new random password and print it; their sessions end."""
    with transaction() as session:
        person = accounts.get_person_named(session, name)
        _, password = accounts.reset_password(session, COMMAND_LINE, person.id)
    tell(password)
    note("This is shown once, and is good for 7 days: signing in with it asks for one of their own.")


@user.command("reset-second-factor", cls=Command)
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Let a person sign in without the app that they lost."""
    tell(f"{_about(name, accounts.reset_second_factor)} signs in without a second factor now.")


@token.command("add", cls=Command)
@click.argument("name")
@_role
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    metavar="PURPOSE",
    help="read, write or backup; once for each. All of them, if not given.",
)
@click.option("--expires-days", type=int, metavar="N", help="Days until it ends; never, if not given.")
def add_token(name: str, role: str, purposes: tuple[str, ...], expires_days: int | None) -> None:
    """Make a token and print it, and nothing else, once."""
    with transaction() as session:
        _, text = accounts.issue_token(
            session, COMMAND_LINE, name, role=role, purposes=purposes or tuple(Purpose), expires_days=expires_days
        )
    click.echo(text)


@token.command("rotate", cls=Command)
@click.argument("name")
@click.option(
    "--keep-hours", type=int, default=24, show_default=True, metavar="N", help="Hours the earlier text goes on."
)
@click.option("--expires-days", type=int, metavar="N", help="Days until it ends; as many as before, if not given.")
def rotate_token(name: str, keep_hours: int, expires_days: int | None) -> None:
    """Give a token another text and print it; the earlier one goes on for a while."""
    with transaction() as session:
        found = accounts.get_token_named(session, name)
        days = accounts.term_days(found) if expires_days is None else expires_days
        rotated, text = accounts.rotate_token(session, COMMAND_LINE, found.id, expires_days=days, keep_hours=keep_hours)
        old_until = rotated.old_until if accounts.has_old_text(rotated) else None
    click.echo(text)
    note(
        f"The earlier text is valid until {old_until}." if old_until else "The earlier text is worth nothing any more."
    )


@token.command("end-old", cls=Command)
@click.argument("name")
def end_old_text(name: str) -> None:
    """End the text that a token had before it was rotated."""
    with transaction() as session:
        accounts.end_old_text(session, COMMAND_LINE, accounts.get_token_named(session, name).id)
    tell(f"The earlier text of {name} is ended.")


@token.command("list", cls=Command)
@_json
def list_tokens(as_json: bool) -> None:
    """List the tokens that were not revoked; their text is shown nowhere."""
    rows = [_listed(each) for each in accounts.list_tokens(db.session())]
    if as_json:
        show_json(rows)
    else:
        heads = ("NAME", "ROLE", "FOR", "BEGINS", "MADE", "BY", "ENDS", "LAST USED", "FROM", "EARLIER TEXT UNTIL")
        shown = [tuple(value for key, value in row.items() if key not in _IN_JSON_ONLY) for row in rows]
        show_table(heads, [(*row[:2], " ".join(row[2]), *row[3:]) for row in shown])


@token.command("revoke", cls=Command)
@click.argument("name")
def revoke_token(name: str) -> None:
    """End a token at once."""
    with transaction() as session:
        accounts.revoke_token(session, COMMAND_LINE, name=name)
    tell(f"Revoked {name}.")


@click.command("setup-code", cls=Command)
def setup_code() -> None:
    """Print the one-time code with which the first account is made."""
    code = accounts.setup_code(db.session())
    if code is None:
        raise Failed("The first account exists already.", "Sign in, or: flask user reset-password NAME")
    audit.note(COMMAND_LINE, audit.Act.SETUP_CODE_SHOWN)
    tell(code)


def _listed(each: ListedToken) -> dict[str, Any]:
    token, use = each.token, each.last_use
    return {
        "name": token.name,
        "role": token.role,
        "purposes": token.purposes.split(),
        "begins": token.hint,
        "createdAt": token.created_at,
        "createdBy": token.created_by,
        "expiresAt": token.expires_at,
        "lastUsedAt": use.at if use else None,
        "lastAddress": use.address if use else None,
        "oldTextUntil": token.old_until if accounts.has_old_text(token) else None,
        "rotatedAt": token.rotated_at,
        "oldTextUsedAt": each.old_used_at,
    }


def _about(name: str, act: Callable[[Session, Actor, int], User]) -> str:
    """Do something about the person of this name; returns the name as it is written."""
    with transaction() as session:
        return act(session, COMMAND_LINE, accounts.get_person_named(session, name).id).name


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        # Bytes that are no text stay what they are, so that the rules for passwords refuse them in words.
        return sys.stdin.buffer.readline().decode(sys.stdin.encoding, "surrogateescape").rstrip("\r\n")
    if not is_terminal():
        raise click.UsageError("There is no terminal to ask for the password: use --password-stdin.")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer
