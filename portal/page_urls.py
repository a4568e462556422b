"""The routes of the pages that belong to no app."""

from __future__ import annotations

from django.urls import path

from portal.pages import find, home, theme

urlpatterns = [
    path("", home, name="home"),
    path("find", find, name="find"),
    path("theme", theme, name="theme"),
]
