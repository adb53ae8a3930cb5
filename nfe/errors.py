"""One exception class per thing that a user can repair, under one base."""

__all__ = [
    "ModelFileError",
    "NFEError",
    "ParamsError",
    "PictureError",
    "SourceError",
    "StorageError",
    "TagsError",
    "TrainingError",
]


class NFEError(Exception):
    """Base of all errors with a remedy. The message is one line: what, where, what to do."""


class ParamsError(NFEError):
    """A parameter is unknown, of the wrong type or out of range."""


class PictureError(NFEError):
    """One picture cannot be read: damaged, too large, or not a picture."""


class SourceError(NFEError):
    """A folder or zip of pictures is missing, empty, or holds nothing that can be used."""


class TagsError(NFEError):
    """Tags are missing, or too few or too uniform to learn from."""


class ModelFileError(NFEError):
    """A model file is missing, damaged, or of another architecture."""


class TrainingError(NFEError):
    """A training run met NaN, infinity or collapse and cannot go on."""


class StorageError(NFEError):
    """A file cannot be written: no space, no permission."""
