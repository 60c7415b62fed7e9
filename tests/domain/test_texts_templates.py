"""Custom templates: whatever is wrong with one is said when it is configured."""

import json

import pytest

from otp_feedback.domain.texts import TemplateError, parse_templates

SID = "HX" + "0123456789abcdefABCDEF" + "0" * 10


def parsed(definition, keyword=""):
    return parse_templates(json.dumps({"it": definition}), keyword=keyword)["it"]


def test_nothing_is_configured():
    assert parse_templates("") == {}
    assert parse_templates("{}") == {}


@pytest.mark.parametrize(
    ("definition", "actions"),
    [
        ({"body": "{secret}"}, {"code", "password", "caller"}),
        ({"body": "{app} {secret} {minutes}", "action": "password"}, {"password"}),
        ({"body": {"en": "{secret}", "de-AT": "{secret} ({minutes})"}}, {"code", "password", "caller"}),
        ({"body": "{app}\n{link}"}, {"link"}),
        ({"body": "Reply {keyword} to {app}", "action": "reply"}, {"reply"}),
        ({"body": "Reply", "action": "reply"}, {"reply"}),
        ({"content_sid": SID, "variables": {"1": "{secret}", "app_name": "{app}"}}, {"code", "password", "caller"}),
        ({"content_sid": SID, "variables": {"1": "{link}"}, "action": "link"}, {"link"}),
        ({"content_sid": SID, "action": "reply"}, {"reply"}),
        ({"content_sid": SID, "variables": {"1": "{keyword}"}, "action": "reply"}, {"reply"}),
        ({"body": "{secret}", "action": None}, {"code", "password", "caller"}),
    ],
)
def test_what_is_accepted_and_for_which_actions(definition, actions):
    template = parsed(definition, keyword="YES")
    assert template.name == "it"
    assert template.actions == actions
    assert all(template.allows(action) for action in actions)
    assert not template.allows("other")


def test_a_content_template_is_what_was_given_and_has_no_text_of_its_own():
    template = parsed({"content_sid": SID, "variables": {"1": "{secret}", "app_name": "{app}"}})
    assert template.content_sid == SID
    assert dict(template.variables) == {"1": "{secret}", "app_name": "{app}"}
    assert dict(template.bodies) == {}


def test_a_text_names_no_content_template():
    template = parsed({"body": "{secret}"})
    assert (template.content_sid, dict(template.variables), dict(template.bodies)) == (None, {}, {"und": "{secret}"})


def test_a_template_cannot_be_changed():
    template = parsed({"body": {"en": "{secret}"}})
    with pytest.raises(TypeError):
        template.bodies["en"] = ""
    with pytest.raises(AttributeError):
        template.name = "other"


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("{secret}", "not a JSON object"),
        ({}, "needs either a body or a content_sid"),
        ({"body": "{secret}", "content_sid": SID}, "needs either a body or a content_sid"),
        ({"body": "{secret}", "variables": {}}, "variables go with a content_sid, not with a body"),
        ({"body": "{secret}", "text": ""}, "unknown member 'text'"),
        ({"body": "{secret}", "action": "sms"}, "the action is not one of code, link, password, reply, caller"),
        ({"body": "{secret}", "action": ["code"]}, "the action is not one of code, link, password, reply, caller"),
        ({"body": ""}, "body is empty"),
        ({"body": " \n"}, "body is empty"),
        ({"body": 5}, "the body is neither a text nor an object from language to text"),
        ({"body": {}}, "the body is neither a text nor an object from language to text"),
        ({"body": {"en": ""}}, "body en is empty"),
        ({"body": {"en": None}}, "body en is not a text"),
        ({"body": {"jp": "{secret}"}}, "unknown language 'jp'"),
        ({"body": {"en_US": "{secret}"}}, "unknown language 'en_US'"),
        ({"body": {"und": "{secret}"}}, "unknown language 'und'"),
        ({"body": {"en": "{secret}", "EN": "{secret}"}}, "the language 'EN' stands twice"),
        ({"body": {"en": "{secret}", "de": "{Secret}"}}, "body de holds the unknown placeholder '{Secret}'"),
        ({"body": "{secret} {name}"}, "body holds the unknown placeholder '{name}'"),
        ({"body": "{secret} {}"}, "body holds the unknown placeholder '{}'"),
        ({"body": "{secret} {secret!r}"}, "body holds the unknown placeholder '{secret!r}'"),
        ({"body": "{{secret}}"}, "body holds a brace that belongs to no placeholder"),
        ({"body": "{secret} {"}, "body holds a brace that belongs to no placeholder"),
        ({"body": "{secret} }"}, "body holds a brace that belongs to no placeholder"),
        ({"body": "Hello", "action": "code"}, "body lacks {secret}, which the action code needs"),
        ({"body": "Hello", "action": "password"}, "body lacks {secret}, which the action password needs"),
        ({"body": "Hello", "action": "caller"}, "body lacks {secret}, which the action caller needs"),
        ({"body": "{app}", "action": "link"}, "body lacks {link}, which the action link needs"),
        ({"body": {"en": "{secret}", "de": "x"}}, "body de lacks {secret}, which a template with {secret} needs"),
        ({"body": "{link} {secret}"}, "body holds {link}, which a template with {secret} does not have"),
        ({"body": "{link} {secret}", "action": "link"}, "body holds {secret}, which the action link does not have"),
        ({"body": "{secret}", "action": "reply"}, "body holds {secret}, which the action reply does not have"),
        (
            {"body": "Hello"},
            'body holds neither {secret} nor {link}; one for replies says "action": "reply"',
        ),
        ({"body": "{keyword}", "action": "reply"}, "body holds {keyword}, but the stack has no reply keyword"),
        ({"body": "{secret} " + "x" * 1536}, "body may exceed 1600 characters when its placeholders are filled"),
        ({"body": "Acme{secret}"}, "body lets letters, digits or another placeholder touch {secret}"),
        ({"body": "{secret}x"}, "body lets letters, digits or another placeholder touch {secret}"),
        ({"body": "{app}{secret}"}, "body lets letters, digits or another placeholder touch {secret}"),
        ({"body": "{secret}\t"}, "body holds a control character or half a surrogate pair"),
        ({"body": "{secret}\x00"}, "body holds a control character or half a surrogate pair"),
        ({"body": "{secret}\ud83d"}, "body holds a control character or half a surrogate pair"),
        ({"content_sid": "HX12"}, "the content_sid is not HX and 32 hexadecimal digits"),
        ({"content_sid": SID + "\n"}, "the content_sid is not HX and 32 hexadecimal digits"),
        ({"content_sid": 7}, "the content_sid is not HX and 32 hexadecimal digits"),
        ({"content_sid": SID, "variables": []}, "the variables are not an object from name to text"),
        ({"content_sid": SID, "variables": {"1": 1}}, "variable 1 is not a text"),
        ({"content_sid": SID, "variables": {"1": ""}}, "variable 1 is empty"),
        ({"content_sid": SID, "variables": {"a b": "x"}}, "the variable 'a b' is not named by letters, digits or _"),
        ({"content_sid": SID, "variables": {"1": "{code}"}}, "variables holds the unknown placeholder '{code}'"),
        (
            {"content_sid": SID, "variables": {"1": "{app}"}, "action": "code"},
            "variables lacks {secret}, which the action code needs",
        ),
        ({"content_sid": SID, "action": "link"}, "variables lacks {link}, which the action link needs"),
    ],
)
def test_what_is_refused_is_named(definition, problem):
    with pytest.raises(TemplateError) as caught:
        parsed(definition)
    assert caught.value.template == "it"
    assert caught.value.problem == problem
    assert str(caught.value) == f"template 'it': {problem}"


def test_the_longest_body_is_accepted():
    assert parsed({"body": "{secret} " + "x" * 1535})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not valid JSON"),
        ("not json", "not valid JSON"),
        ("[" * 200_000, "not valid JSON"),
        ("[]", "not a JSON object"),
        ('"{secret}"', "not a JSON object"),
        ("NaN", "not a JSON object"),
        ('{"a": {"body": "{secret}"}, "a": {"body": "{secret}"}}', "the name 'a' stands twice in one object"),
        ('{"a": {"body": {"en": "{secret}", "en": "{secret}"}}}', "the name 'en' stands twice in one object"),
    ],
)
def test_a_setting_that_is_no_object_of_templates(text, problem):
    with pytest.raises(TemplateError) as caught:
        parse_templates(text)
    assert (caught.value.template, caught.value.problem) == ("", problem)
    assert str(caught.value) == f"templates: {problem}"


@pytest.mark.parametrize("name", ["", "-a", "a b", "ä", "x" * 65, "a\n"])
def test_a_template_s_name_is_plain(name):
    with pytest.raises(TemplateError) as caught:
        parse_templates(json.dumps({name: {"body": "{secret}"}}))
    assert caught.value.template == name[:64]
    assert caught.value.problem == "the name is not 1 to 64 of A-Z a-z 0-9 _ . - with a letter or digit first"


@pytest.mark.parametrize("body", ["{secret} {keyword}", "{link} {keyword}"])
def test_the_keyword_belongs_to_replies_alone(body: str):
    with pytest.raises(TemplateError, match=r"which a template with \{(secret|link)\} does not have"):
        parse_templates(json.dumps({"one": {"body": body}}), keyword="YES")
