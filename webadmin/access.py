"""Which permission each address asks for. What a function of the domain refuses by itself is refused here first.

A route that does not stand here is closed to everybody, so a new one cannot be forgotten.
"""

from __future__ import annotations

from webadmin.accounts import Actor, NotAllowed, Permission, may

# Everything that answers to somebody who is not signed in (contract 6).
WITHOUT_SESSION = frozenset({"static", "health.ready", "health.alive"})
OPEN = WITHOUT_SESSION | {"auth.sign_in", "auth.code", "auth.setup", "prefs.set"}
# What PUBLIC_READ opens besides, for reading; the views themselves show what is public only.
PUBLIC = frozenset({"api.list_assistants", "api.show_assistant"})

# What is open to everybody who is signed in, whatever their role.
SIGNED_IN = frozenset({"auth.sign_out"})
_TO_ANYBODY = OPEN | SIGNED_IN

_BY_PERMISSION = {
    Permission.READ: """
        dashboard.index health.show health.pill metrics.show api_docs.show api.get_document
        api.list_assistants api.show_assistant api.list_backups api.show_job api.cancel_job
        assistants.list assistants.actions assistants.facet assistants.suggestions
        assistants.edit assistants.preview assistants.leave_preview assistants.history assistants.prompt
        assistants.trash backups.history backups.show backups.bin backups.running comparisons.show comparisons.one
        jobs.show jobs.cancel profile.show profile.save profile.password profile.change_password
        profile.end_session profile.end_others profile.second_factor profile.turn_on profile.turn_off
        profile.renew_codes
    """,
    Permission.WRITE: """
        api.create_assistant api.update_assistant api.delete_assistant api.set_status
        assistants.new assistants.create assistants.update
        assistants.confirm_delete assistants.delete assistants.delete_selected assistants.duplicate
        assistants.return_state assistants.undo_return assistants.tag_selected
        assistants.unpublish_selected assistants.publish_selected
        assistants.put_back assistants.undo_delete comparisons.restore
    """,
    Permission.EXPORT: """
        api.export_catalogue assistants.export_one assistants.export_selected backups.download
    """,
    Permission.BACK_UP: """
        api.create_backup backups.create backups.verify backup_marks.verify_all comparisons.start
    """,
    Permission.IMPORT: """
        api.import_document
        restore.upload restore.receive restore.from_backup restore.show restore.change restore.choose
        restore.confirm restore.apply restore.undo restore.problems restore.records
    """,
    Permission.MANAGE_BACKUPS: """
        backups.confirm_delete backups.delete backups.unbin backups.upload backups.receive health.make_room
        backup_marks.ask_pin backup_marks.pin backup_marks.unpin backup_marks.ask_note backup_marks.note
    """,
    Permission.ADMINISTER: """
        activity.list activity.export
        health.download dev.ui recovery.show recovery.copies recovery.one recovery.begin recovery.choose
        recovery.apply recovery.discard
        people.list people.add people.show people.change people.sign_out people.confirm_reset people.reset
        people.confirm_reset_second_factor people.reset_second_factor
        people.confirm_deactivate people.deactivate people.activate
        settings.tokens settings.add_token settings.confirm_revoke settings.revoke_token
        settings.confirm_rotate settings.rotate_token settings.confirm_end_old settings.end_old
        backup_settings.schedule backup_settings.save_schedule backup_settings.preview_schedule
        backup_settings.retention backup_settings.save_retention backup_settings.preview_retention
        notification_settings.show notification_settings.save_destinations
        notification_settings.send_again notification_settings.send_test
    """,
}
NEEDED: dict[str, Permission] = {
    endpoint: permission for permission, endpoints in _BY_PERMISSION.items() for endpoint in endpoints.split()
}


def is_open_to(actor: Actor, endpoint: str) -> bool:
    """Whether the actor may call what stands behind an endpoint."""
    return endpoint in _TO_ANYBODY or (endpoint in NEEDED and may(actor, NEEDED[endpoint]))


def check(actor: Actor, endpoint: str) -> None:
    """Raises Forbidden unless the actor may call what stands behind an endpoint."""
    if not is_open_to(actor, endpoint):
        raise NotAllowed(actor, NEEDED.get(endpoint, Permission.ADMINISTER))
