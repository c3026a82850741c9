"""The one error that a person is meant to read."""


class StudyError(ValueError):
    """Bad input or a state that the user can mend: one sentence that names the value and what would be right."""
