"""`flask user …`, `flask token …`, `flask setup-code`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from webadmin import accounts
from webadmin.accounts import COMMAND_LINE
from webadmin.cli.output import Command, Failed, is_terminal, note, show_json, show_table, tell
from webadmin.db import db, transaction

user = AppGroup("user", help="People who may sign in.")
token = AppGroup("token", help="Tokens with which programs call the API.")

_role = click.option("--role", required=True, metavar="ROLE", help="What it may do; this version knows admin.")
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
    if as_json:
        keys = ("name", "role", "createdAt", "createdBy", "deactivatedAt")
        rows = [(p.name, p.role, p.created_at, p.created_by, p.deactivated_at) for p in people]
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        show_table(("NAME", "ROLE", "ADDED", "BY"), [(p.name, p.role, p.created_at, p.created_by) for p in people])


@user.command("reset-password", cls=Command)
@click.argument("name")
def reset_password(name: str) -> None:
    """Give a person a new random password and print it; their sessions end."""
    password = accounts.suggest_password()
    with transaction() as session:
        accounts.set_password(session, COMMAND_LINE, name, password)
    tell(password)
    note("This is shown once. It can be changed after signing in.")


@token.command("add", cls=Command)
@click.argument("name")
@_role
@click.option("--expires-days", type=int, metavar="N", help="Days until it ends; never, if not given.")
def add_token(name: str, role: str, expires_days: int | None) -> None:
    """Make a token and print it, and nothing else, once."""
    with transaction() as session:
        _, text = accounts.issue_token(session, COMMAND_LINE, name, role=role, expires_days=expires_days)
    click.echo(text)


@token.command("list", cls=Command)
@_json
def list_tokens(as_json: bool) -> None:
    """List the tokens that were not revoked; their text is shown nowhere."""
    listed = accounts.list_tokens(db.session())
    rows = [
        (t.token.name, t.token.role, t.token.hint, t.token.created_at, t.token.created_by, t.token.expires_at)
        + ((t.last_use.at, t.last_use.address) if t.last_use else (None, None))
        for t in listed
    ]
    if as_json:
        keys = ("name", "role", "begins", "createdAt", "createdBy", "expiresAt", "lastUsedAt", "lastAddress")
        show_json([dict(zip(keys, row, strict=True)) for row in rows])
    else:
        show_table(("NAME", "ROLE", "BEGINS", "MADE", "BY", "ENDS", "LAST USED", "FROM"), rows)


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
    tell(code)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not is_terminal():
        raise click.UsageError("There is no terminal to ask for the password: use --password-stdin.")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer
