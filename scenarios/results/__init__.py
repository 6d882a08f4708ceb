"""Result files: variables, storage, views."""
