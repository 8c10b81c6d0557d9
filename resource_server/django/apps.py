"""The application for ``INSTALLED_APPS``: it adds the system checks, and nothing else."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import Tags, register


class ResourceServerConfig(AppConfig):
    """Registers the checks with ``manage.py check``."""

    name = "resource_server.django"
    label = "resource_server"
    verbose_name = "Resource server"

    def ready(self) -> None:
        """Register them."""
        from resource_server.django._checks import check_options, check_order, check_routes  # noqa: PLC0415 - Django's way

        register(check_options, Tags.security)
        register(check_order, Tags.security)
        register(check_routes, Tags.security)
