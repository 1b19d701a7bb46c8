"""Roles: until the others exist, `admin` is the only one."""

from __future__ import annotations

from webadmin.accounts.actor import Actor
from webadmin.errors import N_, Forbidden, Invalid, Message, Problem

ADMIN = "admin"


def check_role(role: str) -> str:
    """Return a role that can be given to a person or token. Raises Invalid for any other."""
    if role != ADMIN:
        template = N_("The role “%(role)s” does not exist in this version; use “admin”.")
        raise Invalid(template, problems=[Problem(Message(template, {"role": role}), field="role")], role=role)
    return role


def require_admin(actor: Actor) -> None:
    """Raises Forbidden unless the actor is an administrator."""
    if actor.role != ADMIN:
        raise Forbidden(N_("Your role cannot do this. Ask an administrator."))
