"""Django as WSGI: everything but the prediction lane. `portal/asgi.py` puts it behind that lane."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

application = get_wsgi_application()
