"""The pages: every blueprint of the application, and what templates need."""

from __future__ import annotations

from flask import Flask

from webadmin.web import assistants, auth, errors, filters, health, prefs, settings, shell

BLUEPRINTS = (assistants.bp, auth.bp, health.bp, prefs.bp, settings.bp)


def init_app(app: Flask) -> None:
    """Register the pages with their filters, shell and error answers."""
    filters.register(app)
    shell.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
