"""A network trained on one chip, copied onto others of the same design: everything of this kind of experiment."""
