"""Who may do what: four roles, each with the permissions of the ones before it and more."""

from __future__ import annotations

from enum import StrEnum

from webadmin.accounts.actor import Actor
from webadmin.errors import N_, Forbidden, Invalid, Message, Problem


class Permission(StrEnum):
    """What an actor may be allowed to do; docs/people.md says what each of them covers."""

    READ = "read"
    WRITE = "write"
    EXPORT = "export"
    BACK_UP = "back-up"
    PUBLISH = "publish"
    IMPORT = "import"
    MANAGE_BACKUPS = "manage-backups"
    ADMINISTER = "administer"


class Role(StrEnum):
    """What a person or a token is, as it is stored."""

    VIEWER = "viewer"
    EDITOR = "editor"
    REVIEWER = "reviewer"
    ADMIN = "admin"


_EDITOR = frozenset({Permission.READ, Permission.WRITE, Permission.EXPORT, Permission.BACK_UP})
ALLOWED: dict[str, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.EDITOR: _EDITOR,
    Role.REVIEWER: _EDITOR | {Permission.PUBLISH},
    Role.ADMIN: frozenset(Permission),
}
_ROLE_LIST = ", ".join(Role)


def may(actor: Actor, permission: Permission) -> bool:
    """Whether the actor's role has the permission; a role that this version does not know has none."""
    return permission in ALLOWED.get(actor.role, frozenset())


def require(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden, which says whom to ask, unless the actor's role has the permission."""
    if not may(actor, permission):
        raise NotAllowed(permission)


class NotAllowed(Forbidden):
    """The role of the actor lacks a permission."""

    def __init__(self, permission: Permission) -> None:
        if permission is Permission.PUBLISH:
            said, hint = N_("What is published only a reviewer or an administrator may change."), N_("Ask one of them.")
        else:
            said, hint = N_("Your role cannot do this. Ask an administrator."), None
        super().__init__(said, hint=hint)
        self.permission = permission


def check_role(role: str) -> Role:
    """Return a role that can be given to a person or token. Raises Invalid for any other."""
    try:
        return Role(role)
    except ValueError:
        template = N_("There is no role “%(role)s”; use one of %(roles)s.")
        params = {"role": role, "roles": _ROLE_LIST}
        raise Invalid(template, problems=[Problem(Message(template, params), field="role")], **params) from None
