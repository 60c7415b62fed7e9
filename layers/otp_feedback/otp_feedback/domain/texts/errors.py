"""Errors of the text rendering."""


class UnsupportedLocale(ValueError):
    """The caller named a language by what is no tag, or none for which a text exists.

    Parameters
    ----------
    locale
        The tags as given, or "" where one was not a well-formed tag of at most 64 characters: nothing but language
        tags can reach an answer or a log line through this error.
    """

    def __init__(self, locale: str) -> None:
        self.locale = locale
        super().__init__(f"no text in the language {locale}" if locale else "the locale is not a BCP 47 language tag")


class TemplateError(ValueError):
    """A custom template cannot be used; raised while the setting is parsed, never while a message is sent.

    Parameters
    ----------
    template
        The template's name; "" where the setting as a whole is at fault.
    problem
        What is wrong with it.
    """

    def __init__(self, template: str, problem: str) -> None:
        self.template = template
        self.problem = problem
        super().__init__(f"template {template!r}: {problem}" if template else f"templates: {problem}")
