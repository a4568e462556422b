"""What `manage.py doctor` looks at. Each check is a small function that says what it found and how to mend it."""
