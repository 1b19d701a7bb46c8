"""People and API tokens, and who is acting.

Functions whose first argument is `session` never commit: the way in wraps them in `db.transaction()`.
"""

from webadmin.accounts.actor import BUILT_IN_NAMES, COMMAND_LINE, OTHER_PROGRAM, SCHEDULER, SYSTEM, Actor, ActorKind
from webadmin.accounts.models import Token, User
from webadmin.accounts.passwords import suggest_password
from webadmin.accounts.roles import ADMIN, check_role, require_admin
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
    set_password,
    sign_in,
)

__all__ = [
    "ADMIN",
    "BUILT_IN_NAMES",
    "COMMAND_LINE",
    "OTHER_PROGRAM",
    "SCHEDULER",
    "SYSTEM",
    "Actor",
    "ActorKind",
    "Device",
    "ListedToken",
    "Token",
    "TokenUse",
    "TooManyTries",
    "User",
    "ValidToken",
    "add_user",
    "any_users",
    "authenticate",
    "authenticate_token",
    "change_password",
    "check_role",
    "create_first",
    "create_from_settings",
    "forget_setup_code",
    "get_token",
    "get_user",
    "is_expired",
    "issue_token",
    "list_tokens",
    "list_users",
    "require_admin",
    "revoke_token",
    "set_password",
    "setup_code",
    "sign_in",
    "suggest_password",
]
