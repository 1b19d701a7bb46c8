"""People and API tokens, and who is acting.

Functions whose first argument is `session` never commit: the way in wraps them in `db.transaction()`.
"""

from webadmin.accounts.actor import BUILT_IN_NAMES, COMMAND_LINE, OTHER_PROGRAM, SCHEDULER, SYSTEM, Actor, ActorKind
from webadmin.accounts.devices import SignedInAt, end_session, end_sessions, list_sessions
from webadmin.accounts.models import Token, User
from webadmin.accounts.people import (
    activate,
    change_person,
    deactivate,
    get_person,
    get_person_named,
    invite,
    reset_password,
    sign_out,
)
from webadmin.accounts.permissions import ALLOWED, NotAllowed, Permission, Role, check_role, may, require
from webadmin.accounts.setup import create_first, create_from_settings, forget_setup_code, setup_code
from webadmin.accounts.tokens import (
    ListedToken,
    TokenUse,
    ValidToken,
    authenticate_token,
    get_token,
    is_expired,
    issue_token,
    list_tokens,
    revoke_token,
)
from webadmin.accounts.tries import TooManyTries
from webadmin.accounts.users import (
    Device,
    add_user,
    any_users,
    authenticate,
    change_password,
    get_user,
    list_users,
    save_preferences,
    sign_in,
)

__all__ = [
    "ALLOWED",
    "BUILT_IN_NAMES",
    "COMMAND_LINE",
    "OTHER_PROGRAM",
    "SCHEDULER",
    "SYSTEM",
    "Actor",
    "ActorKind",
    "Device",
    "ListedToken",
    "NotAllowed",
    "Permission",
    "Role",
    "SignedInAt",
    "Token",
    "TokenUse",
    "TooManyTries",
    "User",
    "ValidToken",
    "activate",
    "add_user",
    "any_users",
    "authenticate",
    "authenticate_token",
    "change_password",
    "change_person",
    "check_role",
    "create_first",
    "create_from_settings",
    "deactivate",
    "end_session",
    "end_sessions",
    "forget_setup_code",
    "get_person",
    "get_person_named",
    "get_token",
    "get_user",
    "invite",
    "is_expired",
    "issue_token",
    "list_sessions",
    "list_tokens",
    "list_users",
    "may",
    "require",
    "reset_password",
    "revoke_token",
    "save_preferences",
    "setup_code",
    "sign_in",
    "sign_out",
]
