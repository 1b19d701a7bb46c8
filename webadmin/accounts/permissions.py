"""Who may do what: four roles, each with the permissions of the ones before it and more.

A token has purposes besides: it may do what its role allows and one of its purposes covers.
"""

from __future__ import annotations

from collections.abc import Collection
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


class Purpose(StrEnum):
    """What a token was made for, as it is stored."""

    READ = "read"
    WRITE = "write"
    BACKUP = "backup"


_EDITOR = frozenset({Permission.READ, Permission.WRITE, Permission.EXPORT, Permission.BACK_UP})
ALLOWED: dict[str, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.EDITOR: _EDITOR,
    Role.REVIEWER: _EDITOR | {Permission.PUBLISH},
    Role.ADMIN: frozenset(Permission),
}
# Nothing covers ADMINISTER: people, tokens and settings are for who signs in.
COVERED: dict[str, frozenset[Permission]] = {
    Purpose.READ: frozenset({Permission.READ, Permission.EXPORT}),
    Purpose.WRITE: frozenset({Permission.WRITE, Permission.PUBLISH}),
    Purpose.BACKUP: frozenset(
        {Permission.READ, Permission.EXPORT, Permission.BACK_UP, Permission.IMPORT, Permission.MANAGE_BACKUPS}
    ),
}
_ROLE_LIST = ", ".join(Role)
_PURPOSE_LIST = ", ".join(Purpose)


def may(actor: Actor, permission: Permission) -> bool:
    """Whether role and purposes of the actor give the permission; those that this version does not know give none."""
    return _has_role_for(actor, permission) and (
        actor.purposes is None or any(permission in COVERED.get(purpose, ()) for purpose in actor.purposes)
    )


def require(actor: Actor, permission: Permission) -> None:
    """Raises Forbidden, which says what is missing and whom to ask, unless the actor has the permission."""
    if not may(actor, permission):
        raise NotAllowed(actor, permission)


def _has_role_for(actor: Actor, permission: Permission) -> bool:
    return permission in ALLOWED.get(actor.role, frozenset())


class NotAllowed(Forbidden):
    """The role of the actor lacks a permission, or none of the purposes of a token covers it."""

    def __init__(self, actor: Actor, permission: Permission) -> None:
        purposes = [purpose for purpose, covered in COVERED.items() if permission in covered]
        if purposes and _has_role_for(actor, permission):
            super().__init__(
                N_("This token was not made for that. One with the purpose %(purposes)s may."),
                hint=N_("Ask an administrator for such a token."),
                purposes=" / ".join(purposes),
            )
        elif permission is Permission.PUBLISH:
            super().__init__(
                N_("What is published only a reviewer or an administrator may change."), hint=N_("Ask one of them.")
            )
        else:
            super().__init__(N_("Your role cannot do this. Ask an administrator."))
        self.permission = permission


def check_role(role: str) -> Role:
    """Return a role that can be given to a person or token. Raises Invalid for any other."""
    try:
        return Role(role)
    except ValueError:
        template = N_("There is no role “%(role)s”; use one of %(roles)s.")
        params = {"role": role, "roles": _ROLE_LIST}
        raise Invalid(template, problems=[Problem(Message(template, params), field="role")], **params) from None


def check_purposes(purposes: Collection[str]) -> frozenset[str]:
    """Return purposes that can be given to a token. Raises Invalid for none and for any other."""
    unknown = sorted(set(purposes) - set(Purpose))
    if purposes and not unknown:
        return frozenset(purposes)
    if unknown:
        template = N_("There is no purpose “%(purpose)s”; use some of %(purposes)s.")
        params = {"purpose": unknown[0], "purposes": _PURPOSE_LIST}
    else:
        template, params = N_("Choose at least one purpose."), {}
    raise Invalid(template, problems=[Problem(Message(template, params), field="purposes")], **params)
