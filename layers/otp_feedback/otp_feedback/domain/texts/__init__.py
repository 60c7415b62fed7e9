"""What users read: the texts of messages in every language, custom templates, and the confirm page.

A pure package: strings in, strings out.
"""

from otp_feedback.domain.texts.choice import ENGLISH, choose_language, preferred_tag, spoken_language
from otp_feedback.domain.texts.errors import TemplateError, UnsupportedLocale
from otp_feedback.domain.texts.page import PageTexts, choose_page_language, page_texts
from otp_feedback.domain.texts.rendering import Content, render
from otp_feedback.domain.texts.template import ANY_LANGUAGE, Template, parse_templates

__all__ = [
    "ANY_LANGUAGE",
    "ENGLISH",
    "Content",
    "PageTexts",
    "Template",
    "TemplateError",
    "UnsupportedLocale",
    "choose_language",
    "choose_page_language",
    "page_texts",
    "parse_templates",
    "preferred_tag",
    "render",
    "spoken_language",
]
