"""Words of a query that ask for what is said, heard or written."""

from __future__ import annotations

import re

_QUOTES = r"\"[^\"]*\"|“[^”]*”|«[^»]*»|(?<!\w)'[^']*'(?!\w)"
_REST = rf"(?:{_QUOTES}|(?!(?:[,;]|\s(?:while|before|after|then|as|followed\sby))\s).)*"
"""What is said or written, up to the next part of the sentence."""
SURFACE = (
    r"(?:signs?|signboard|slides?|screen|banners?|posters?|billboard|placards?|labels?|captions?"
    r"|titles?|headlines?|subtitles?|boards?|whiteboard|blackboard|scoreboard|chyron|logo|stickers?"
    r"|plaque|(?:t-)?shirts?|hoodie|sweater|cap|hat|mug|badge|tag|note|card|page|letter|envelope"
    r"|display|monitor|text|graffiti|plates?|box|package|button|door|building|window|cover"
    r"|error|message|dialog|pop-?up)"
)
"""What carries writing."""
_LANGUAGE = (
    r"(?:english|french|german|spanish|italian|russian|chinese|mandarin|japanese|korean|arabic"
    r"|hindi|portuguese|turkish|dutch|polish|latin|hebrew|greek)"
)

QUOTED = re.compile(_QUOTES)
"""Words between quotation marks."""

TEXT = re.compile(
    rf"""\b(?P<what> {SURFACE}\s(?:(?:that|which)\s)?
            (?:says?|saying|reads?|reading|spells?|spelling)
        | (?:with|says|show(?:s|ing)?|displaying|sees?|reads?)\sthe\s
            (?:words?|letters?|phrase|text|slogan|name)\b
        | the\s(?:words?|phrase|slogan)\s(?!of\b|for\b|is\b)
        | titled | entitled | labell?ed | captioned | inscribed
        | (?:licen[cs]e|number|registration)\splate\b(?=[^,]*\d)
        | (?:jersey|shirt|bib|kit|wearing|player)\s(?:with\s)?(?:the\s)?(?:number\s|no\.?\s|\#)?\d+
        | numbers?\s(?:\d+|zero|two|three|four|five|six|seven|eight|nine|ten)
        | (?:room|gate|bus|tram|page|channel|platform|track|route|highway|flight|chapter|terminal
            |episode|slide|exhibit|courtroom|lane|apartment)\s(?:number\s|no\.?\s|\#)?[A-Z]?\d+
        | no\.\s?\d+
        ){_REST}
    | (?P<sharp>\#\d+)""",
    re.I | re.X,
)
"""Asks for words or figures to be read; ``what`` is what gives it away."""

SOUND = re.compile(
    rf"""\b(?P<what>
        (?:talk|speak|chat|rant|vlog|lectur|report|monolog|jok|sing(?!l)|complain|brag|argu|preach
            |testif)\w*
            \s(?:(?:\w+\s){{0,4}}?(?:about|on\sthe\s(?:topic|subject))|that)
        | (?:says?|said|saying|tells?|told|telling)
        | (?:discuss|explain|describ|mention|announc|recount|narrat|confess|apologi[sz]|recommend)
            (?:e|es|ed|s|ing)?
        | (?:claim|argu|insist|admit|suggest|declar)(?:e|es|ed|s|ing)?\sthat
        | (?:asks?|asked|asking)\s(?:\w+\s){{0,3}}?
            (?:if|whether|why|how|what|when|where|who|about|for)
        | (?:speaks?|speaking|talks?|talking|sings?|singing)\s(?:in\s)?{_LANGUAGE}
        | with\san?\s\w+\saccent
        | (?:sounds?|noises?|voices?)\sof | hears? | heard | audible | loud(?:ly)?
        | (?:music|songs?|anthem|alarm|sirens?|voices?)\s(?:(?:is|are)\s)?
            (?:plays?|playing|sounds?|blar\w+)
        | background\s(?:music|noise) | voice[\s-]?over | off-?screen\svoice
        )\b{_REST}""",
    re.I | re.X,
)
"""Asks for what is said or for a sound; ``what`` is what gives it away."""
