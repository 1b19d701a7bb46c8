"""The pages: every blueprint of the application, and what templates need."""

from __future__ import annotations

from flask import Flask

from webadmin.web import (
    activity,
    api_docs,
    assistants,
    auth,
    backup_marks,
    backup_settings,
    backups,
    comparisons,
    dashboard,
    dev,
    errors,
    filters,
    health,
    jobs,
    metrics,
    notification_settings,
    people,
    prefs,
    profile,
    recovery,
    restore,
    settings,
    shell,
)

BLUEPRINTS = (
    activity.bp,
    api_docs.bp,
    assistants.bp,
    auth.bp,
    backup_marks.bp,
    backup_settings.bp,
    backups.bp,
    comparisons.bp,
    dashboard.bp,
    health.bp,
    jobs.bp,
    metrics.bp,
    notification_settings.bp,
    people.bp,
    prefs.bp,
    profile.bp,
    recovery.bp,
    restore.bp,
    settings.bp,
)


def init_app(app: Flask) -> None:
    """Register the pages with their filters, shell and error answers."""
    filters.register(app)
    shell.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if app.debug:
        app.register_blueprint(dev.bp)
