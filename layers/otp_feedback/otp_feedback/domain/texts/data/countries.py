"""The language that most users of a country's numbers read (ISO 3166-1 alpha-2), where a text in it exists.

Countries left out get English: there is no text in their language, or, as in India and the Philippines, services
write to everyone in English.
"""

BY_LANGUAGE = {
    "ar": "AE BH DZ EG EH IQ JO KW LB LY MA MR OM PS QA SA SD SY TN YE",
    "bg": "BG",
    "bs": "BA",
    "ca": "AD",
    "cs": "CZ",
    "da": "DK FO GL",
    "de": "AT CH DE LI",
    "el": "CY GR",
    "es": "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE",
    "et": "EE",
    "fa": "AF IR",
    "fi": "FI",
    "fr": "BF BI BJ BL CD CF CG CI CM DJ FR GA GF GN GP HT KM LU MC MF MG ML MQ NC NE PF PM RE SN TD TF TG WF YT",
    "he": "IL",
    "hr": "HR",
    "hu": "HU",
    "id": "ID",
    "is": "IS",
    "it": "IT SM VA",
    "ja": "JP",
    "ko": "KP KR",
    "lt": "LT",
    "lv": "LV",
    "ms": "BN MY",
    "nb": "BV NO SJ",
    "nl": "AW BE BQ CW NL SR",
    "pl": "PL",
    "pt-BR": "BR",
    "pt-PT": "AO CV GW MZ PT ST TL",
    "ro": "MD RO",
    "ru": "BY KG KZ RU",
    "sk": "SK",
    "sl": "SI",
    "sr-Latn": "ME RS",
    "sv": "AX SE",
    "th": "TH",
    "tr": "TR",
    "uk": "UA",
    "vi": "VN",
    "zh-Hans": "CN",
    "zh-Hant": "HK MO TW",
}

LANGUAGE_OF_COUNTRY = {
    country: language for language, countries in BY_LANGUAGE.items() for country in countries.split()
}
