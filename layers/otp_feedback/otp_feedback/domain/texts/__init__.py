"""What users read: the texts of messages in every language, custom templates, and the confirm page.

A pure package: strings in, strings out.
"""

from otp_feedback.domain.texts.choice import (
    ENGLISH,
    choose_language,
    default_text,
    languages,
    preferred_tag,
    spoken_language,
)
from otp_feedback.domain.texts.errors import TemplateError, UnsupportedLocale
from otp_feedback.domain.texts.page import PAGE_LANGUAGES, PageTexts, choose_page_language, page_texts
from otp_feedback.domain.texts.rendering import Body, Content, render
from otp_feedback.domain.texts.segments import Encoding, Segments, segments
from otp_feedback.domain.texts.template import ANY_LANGUAGE, MAX_BODY, Template, parse_templates

__all__ = [
    "ANY_LANGUAGE",
    "ENGLISH",
    "MAX_BODY",
    "PAGE_LANGUAGES",
    "Body",
    "Content",
    "Encoding",
    "PageTexts",
    "Segments",
    "Template",
    "TemplateError",
    "UnsupportedLocale",
    "choose_language",
    "choose_page_language",
    "default_text",
    "languages",
    "page_texts",
    "parse_templates",
    "preferred_tag",
    "render",
    "segments",
    "spoken_language",
]
