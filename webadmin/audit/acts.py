"""What the log knows: the acts by their stable keys, and the kinds of things that they are done to, each in words."""

from __future__ import annotations

from enum import StrEnum

from webadmin.errors import N_


class Act(StrEnum):
    """What was done. The value is what is stored; it never changes its meaning."""

    SIGN_IN = "signin.done"
    SIGN_IN_REFUSED = "signin.refused"
    SIGN_OUT = "signin.ended"
    SESSIONS_ENDED = "session.end"
    SETUP_REFUSED = "setup.refused"
    SETUP_CODE_SHOWN = "setup.code-shown"
    REQUEST_REFUSED = "request.refused"
    REFUSALS_LEFT_OUT = "request.left-out"

    ASSISTANT_CREATED = "assistant.create"
    ASSISTANT_CHANGED = "assistant.change"
    STATUS_CHANGED = "assistant.status"
    ASSISTANT_DELETED = "assistant.delete"
    ASSISTANT_PUT_BACK = "assistant.put-back"
    ASSISTANT_BROUGHT_BACK = "assistant.bring-back"
    ASSISTANTS_CHANGED = "assistants.change"
    ASSISTANTS_DELETED = "assistants.delete"
    ASSISTANTS_PUT_BACK = "assistants.put-back"
    ASSISTANTS_FOUND = "assistants.found"
    TRASH_EMPTIED = "assistants.purge"

    EXPORTED = "catalogue.export"
    IMPORTED = "catalogue.import"
    IMPORT_UNDONE = "catalogue.undo-import"

    BACKUP_MADE = "backup.create"
    BACKUP_VERIFIED = "backup.verify"
    BACKUP_DOWNLOADED = "backup.download"
    BACKUP_UPLOADED = "backup.upload"
    BACKUP_DELETED = "backup.delete"
    BACKUP_UNBINNED = "backup.unbin"
    BACKUP_PINNED = "backup.pin"
    BACKUP_UNPINNED = "backup.unpin"
    BACKUP_NOTED = "backup.note"
    BACKUPS_PRUNED = "backup.prune"
    SNAPSHOT_TAKEN = "snapshot.create"

    RECOVERY_BEGUN = "recovery.begin"
    RECOVERY_APPLIED = "recovery.apply"
    RECOVERY_DISCARDED = "recovery.discard"
    UPGRADED = "database.upgrade"

    SETTINGS_CHANGED = "settings.change"
    NOTIFICATION_SENT = "notification.send"
    TASK_CANCELLED = "task.cancel"
    REPORT_DOWNLOADED = "report.download"

    PERSON_ADDED = "person.add"
    PERSON_CHANGED = "person.change"
    PERSON_DEACTIVATED = "person.deactivate"
    PERSON_ACTIVATED = "person.activate"
    PROFILE_CHANGED = "person.preferences"
    PASSWORD_CHANGED = "person.password"  # noqa: S105 (no secret)
    PASSWORD_RESET = "person.password-reset"  # noqa: S105 (no secret)
    SECOND_FACTOR_ON = "person.second-factor-on"
    SECOND_FACTOR_OFF = "person.second-factor-off"
    SECOND_FACTOR_RESET = "person.second-factor-reset"
    CODES_RENEWED = "person.codes"
    TOKEN_MADE = "token.add"  # noqa: S105 (no secret)
    TOKEN_ROTATED = "token.rotate"  # noqa: S105 (no secret)
    TOKEN_TEXT_ENDED = "token.end-old"  # noqa: S105 (no secret)
    TOKEN_REVOKED = "token.revoke"  # noqa: S105 (no secret)

    LOG_EXPORTED = "audit.export"
    LOG_PRUNED = "audit.prune"
    LOG_GUARDED = "audit.guard"


WORDS: dict[Act, str] = {
    Act.SIGN_IN: N_("Signed in"),
    Act.SIGN_IN_REFUSED: N_("Sign-in refused"),
    Act.SIGN_OUT: N_("Signed out"),
    Act.SESSIONS_ENDED: N_("Sessions ended"),
    Act.SETUP_REFUSED: N_("Setup code refused"),
    Act.SETUP_CODE_SHOWN: N_("Setup code shown"),
    Act.REQUEST_REFUSED: N_("Request refused"),
    Act.REFUSALS_LEFT_OUT: N_("More refusals, not listed one by one"),
    Act.ASSISTANT_CREATED: N_("Assistant created"),
    Act.ASSISTANT_CHANGED: N_("Assistant changed"),
    Act.STATUS_CHANGED: N_("Status changed"),
    Act.ASSISTANT_DELETED: N_("Assistant deleted"),
    Act.ASSISTANT_PUT_BACK: N_("Assistant put back from the trash"),
    Act.ASSISTANT_BROUGHT_BACK: N_("Earlier version brought back"),
    Act.ASSISTANTS_CHANGED: N_("Many assistants changed"),
    Act.ASSISTANTS_DELETED: N_("Many assistants deleted"),
    Act.ASSISTANTS_PUT_BACK: N_("Many assistants put back from the trash"),
    Act.ASSISTANTS_FOUND: N_("Changes of another program found"),
    Act.TRASH_EMPTIED: N_("Old assistants removed from the trash"),
    Act.EXPORTED: N_("Assistants exported"),
    Act.IMPORTED: N_("File imported"),
    Act.IMPORT_UNDONE: N_("Import undone"),
    Act.BACKUP_MADE: N_("Backup made"),
    Act.BACKUP_VERIFIED: N_("Backup verified"),
    Act.BACKUP_DOWNLOADED: N_("Backup downloaded"),
    Act.BACKUP_UPLOADED: N_("Backup uploaded"),
    Act.BACKUP_DELETED: N_("Backup deleted"),
    Act.BACKUP_UNBINNED: N_("Backup brought back from the bin"),
    Act.BACKUP_PINNED: N_("Backup pinned"),
    Act.BACKUP_UNPINNED: N_("Backup unpinned"),
    Act.BACKUP_NOTED: N_("Note of a backup changed"),
    Act.BACKUPS_PRUNED: N_("Old backups removed"),
    Act.SNAPSHOT_TAKEN: N_("Snapshot taken"),
    Act.RECOVERY_BEGUN: N_("Recovery begun"),
    Act.RECOVERY_APPLIED: N_("Recovered database put in place"),
    Act.RECOVERY_DISCARDED: N_("Recovery discarded"),
    Act.UPGRADED: N_("Database upgraded"),
    Act.SETTINGS_CHANGED: N_("Settings changed"),
    Act.NOTIFICATION_SENT: N_("Notification sent by hand"),
    Act.TASK_CANCELLED: N_("Task cancelled"),
    Act.REPORT_DOWNLOADED: N_("Report downloaded"),
    Act.PERSON_ADDED: N_("Person added"),
    Act.PERSON_CHANGED: N_("Name or role changed"),
    Act.PERSON_DEACTIVATED: N_("Person deactivated"),
    Act.PERSON_ACTIVATED: N_("Person let in again"),
    Act.PROFILE_CHANGED: N_("Own preferences changed"),
    Act.PASSWORD_CHANGED: N_("Own password changed"),
    Act.PASSWORD_RESET: N_("Password reset"),
    Act.SECOND_FACTOR_ON: N_("Second factor turned on"),
    Act.SECOND_FACTOR_OFF: N_("Second factor turned off"),
    Act.SECOND_FACTOR_RESET: N_("Second factor reset"),
    Act.CODES_RENEWED: N_("Recovery codes renewed"),
    Act.TOKEN_MADE: N_("Token made"),
    Act.TOKEN_ROTATED: N_("Token given another text"),
    Act.TOKEN_TEXT_ENDED: N_("Earlier text of a token ended"),
    Act.TOKEN_REVOKED: N_("Token revoked"),
    Act.LOG_EXPORTED: N_("Activity exported"),
    Act.LOG_PRUNED: N_("Old activity removed"),
    Act.LOG_GUARDED: N_("Protection of the activity log made anew"),
}


class Kind(StrEnum):
    """What an act was done to."""

    ASSISTANT = "assistant"
    BACKUP = "backup"
    PERSON = "person"
    TOKEN = "token"  # noqa: S105 (no secret)
    TASK = "task"
    FILE = "file"
    SNAPSHOT = "snapshot"
    SETTING = "setting"
    ADDRESS = "address"


class Result(StrEnum):
    """How an act ended."""

    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
