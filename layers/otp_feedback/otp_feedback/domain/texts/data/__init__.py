"""The default texts: one module for each action, one for the page; a mapping from language tag to text.

Written in the register that large services use in that language. No plural is needed: minutes are abbreviated
where the word would change with the number. Where a language can say it in the GSM-7 alphabet, it does.
A link is always surrounded by white space, so that no phone takes punctuation for a part of it; so is a password.
In right-to-left languages both have a line of their own, where letters and digits cannot be reordered.
"""
