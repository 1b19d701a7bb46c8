"""Assistant Admin: a self-hosted admin for catalogues of AI assistants."""

__version__ = "0.1.0"
