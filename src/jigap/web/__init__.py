"""The web: the JSON API under ``/api/v1``, its description, health, and the start page.

Handlers are thin: they read a request, call one operation, and show what it answers. ``shapes`` is
what goes over the wire, ``problems`` how a refusal looks, ``describe`` the OpenAPI made of both.
"""

from jigap.web.site import create

__all__ = ["create"]
