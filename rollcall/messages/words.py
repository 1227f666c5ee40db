"""What a text that somebody sends us asks for: to stop, to start again, help, or something else.

A text that is one of the known words and nothing else is obeyed at once. Free text that looks as
if it might ask to stop is read by somebody (47 CFR 64.1200(a)(10): any reasonable means), so
that these patterns catch rather too much than too little.
"""

import re
import unicodedata
from typing import NamedTuple

from rollcall.text import normalize

STOP, START, HELP, UNCLEAR, OTHER = "stop", "start", "help", "unclear", "other"

# As carriers have them, each also in several pieces: "opt out", "S T O P".
STOP_WORDS = frozenset(
    ("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret")
)
# Not "yes", though some carriers take it: it answers too many other questions.
START_WORDS = frozenset(("start", "unstop"))
HELP_WORDS = frozenset(("help", "info", "aide"))

# Phones send what somebody taps on a message as a text that quotes it, with its "Reply STOP".
_REACTION = re.compile(
    r"\s*(liked|loved|disliked|laughed at|emphasi[sz]ed|questioned|reacted \S+ to"
    r"|a aimé|a adoré|le gustó|le encantó)\s*[“”\"«].*[“”\"»]\s*",
    re.IGNORECASE | re.DOTALL,
)

_MESSAGES = r"(messages?|msgs?|texts?|texting|sms|spam|e?mails?|calls?|ads?|alerts?|updates?)"
# Tried on the folded text: no accents, no apostrophes, single spaces.
_UNCLEAR = re.compile(
    r"\b("
    + "|".join(
        (
            # English
            r"st+o+p+(ed|ping|all|it|s)?",
            r"(un|de)subscri\w*",
            r"unsub",
            r"opt(ed|ing)?[ ]?(me )?out",
            r"revok\w*",
            r"cancel",
            r"quit",
            r"(end|ending) (this|these|it|all|them|my|the|" + _MESSAGES + r")",
            r"leave me (alone|be)",
            r"(remove|delete|erase|drop) (me|my|this|number|us)",
            r"(take|get) (me|my \w+|us|this number) (off|out)",
            r"off (of )?(your|this|the) (mailing )?list",
            r"(dont|do not|never|no longer|not) (ever )?(want|wish|like|need)",
            r"(dont|do not|never) (ever |you )?(text|message|msg|contact|send|sms|write|call|mail)",
            r"no (more|further|longer)",
            r"no " + _MESSAGES,
            r"not interested",
            r"lose my number",
            r"(wrong|incorrect) (number|person)",
            r"(un|non ?)solicited",
            r"harass\w*",
            r"spam\w*",
            r"go away",
            r"(f\w*|piss|bugger|sod) off",
            r"block(ing)? (you|your|this|u)",
            r"enough",
            # French
            r"arret\w*",
            r"desabon\w*",
            r"desinscri\w*",
            r"laisse[zr]? moi",
            r"(retire|enleve|supprime)[zr]?",
            r"plus (de |aucun )" + _MESSAGES,
            r"ne plus",
            r"plus recevoir",
            r"cessez?",
            r"annule[zr]?",
            # Spanish and Portuguese
            r"bajas?",
            r"parar",
            r"paren?",
            r"alto",
            r"basta",
            r"cancelar|cancelen?",
            r"deten(er|ga|gan)?",
            r"dej(a|e|en|ar) de",
            r"dejeme|dejenme|dejame",
            r"no (me |nos )?(mas|envi\w+|mand\w+|escrib\w+|molest\w+|llam\w+|contact\w+|quiero)",
            r"(elimin|borr)(ar|en?|a)(me)?",
            r"quitar(me)?|quit(a|e|en)me|quiten",
            r"sair|remover",
            # And what stands on many phones in Canada, the United States and Europe.
            r"стоп|стop|отписаться|отпишите",
            r"abmelden|abbestellen|keine (sms|nachrichten)",
            r"odhlasit|annulla|cancella(mi|re|temi)?",
        )
    )
    + r")\b"
)
# Too common in the middle of a sentence, yet all that some people write.
_UNCLEAR_ALONE = frozenset(("para", "para ya", "fin", "halt", "out", "off"))
_APOSTROPHES = re.compile(r"['’‘ʼ`´]")
_NO_WORDS = re.compile(r"[\W_]+")


class ReadText(NamedTuple):
    """What a text asks for, and the known word by which it does, empty where it is none."""

    meaning: str
    word: str


def meaning_of(text: str) -> str:
    """Return what a text asks for: STOP, START, HELP, UNCLEAR (may be a stop) or OTHER."""
    return read_text(text).meaning


def read_text(text: str) -> ReadText:
    """Return what a text asks for and by which word; case, signs, accents, spaces don't count."""
    if _REACTION.fullmatch(text):
        return ReadText(OTHER, "")
    words = fold_text(text).split()
    together = "".join(words)
    # "Un stop" may be meant as "unstop", but nobody is opted in by a text that says stop.
    spelt_out = words[:1] == [together] or not STOP_WORDS.intersection(words)
    for meaning, known in ((STOP, STOP_WORDS), (START, START_WORDS), (HELP, HELP_WORDS)):
        if together in known and (meaning == STOP or spelt_out):
            return ReadText(meaning, together)
        # "STOP STOP STOP" says it once.
        if words and len(set(words)) == 1 and words[0] in known:
            return ReadText(meaning, words[0])
    plain = " ".join(words)
    if plain in _UNCLEAR_ALONE or _UNCLEAR.search(plain):
        return ReadText(UNCLEAR, "")
    # Whoever spaces the letters of a word out may do it in a longer text too.
    return ReadText(UNCLEAR if _spells_stop(words) else OTHER, "")


def fold_text(text: str) -> str:
    """Return the words of a text alone: lower case, no accents, signs or emoji, single spaces."""
    folded = normalize("NFKC", text).casefold()
    apart = normalize("NFKD", folded)
    # What is not seen (joiners, soft hyphens, direction marks) parts no word either.
    seen = (letter for letter in apart if unicodedata.category(letter) not in ("Mn", "Me", "Cf"))
    return " ".join(_NO_WORDS.sub(" ", _APOSTROPHES.sub("", "".join(seen))).split())


def _spells_stop(words: list[str]) -> bool:
    letters = "".join(word if len(word) == 1 else " " for word in words)
    return any(word in letters for word in ("stop", "optout", "quit"))
