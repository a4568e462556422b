"""The routes of the pages that belong to no app."""

from __future__ import annotations

from django.urls import path

from portal.pages import home, theme

urlpatterns = [
    path("", home, name="home"),
    path("theme", theme, name="theme"),
]
