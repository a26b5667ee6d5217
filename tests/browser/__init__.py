"""What a reader's browser shows. A package, so that a file here may bear the name of one in tests/."""
