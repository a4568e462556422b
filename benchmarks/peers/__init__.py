"""Other servers to compare with. Their applications run in virtual environments of their own, without this project."""
