"""The Django project: wiring, no business rule."""
