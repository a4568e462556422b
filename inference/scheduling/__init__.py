"""Which prediction runs next, and which are refused before they wait in vain. No ORM, no HTTP."""
