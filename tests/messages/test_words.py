"""What a text asks for: a table of what people really write, and any way of writing a word."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rollcall.messages.words import (
    HELP_WORDS,
    START_WORDS,
    STOP_WORDS,
    fold_text,
    meaning_of,
    read_text,
)

TEXTS = {
    "stop": """
        stop|STOP|Stop|sToP|stopall|STOPALL|stop all|STOP ALL|Stop-All|unsubscribe|UNSUBSCRIBE
        Unsubscribe.|un-subscribe|cancel|Cancel|CANCEL!|end|End.|END|quit|Quit|revoke|REVOKE
        optout|OptOut|opt out|Opt Out|OPT-OUT|opt-out.|opt.out|arret|ARRET|arrêt|Arrêt|ARRÊT
        STOP!!!|stop.|stop...| stop |(stop)|"stop"|'STOP'|“STOP”|«stop»|*STOP*|#stop|>stop|stop?
        S T O P|s.t.o.p|S.T.O.P.|S-T-O-P|s_t_o_p|s  t  o  p|🛑 STOP|STOP 🛑|stop🙏|STOP ✋🏽✋🏽
        ＳＴＯＰ|ｓｔｏｐ|𝐒𝐓𝐎𝐏|ⓈⓉⓄⓅ|STOP STOP STOP|stop stop|stóp|s t o p !|STOP\tALL
    """,
    "start": """
        start|START|Start.|unstop|UNSTOP|S T A R T|“start”|ＳＴＡＲＴ|start!|start start
    """,
    "help": """
        help|HELP|Help!|help?|info|INFO|Info.|aide|AIDE|h.e.l.p|“Help”|ｈｅｌｐ|🆘 help
    """,
    "unclear": """
        un stop|un-stop
        Stop please|please stop|please stop texting me|STOP NOW|stop it|Stop sending me this crap
        stopp|STOOOP|stoppp!!|can you stop|I said stop|I've asked you to stop 3 times|STOP START
        leave me alone|Leave me ALONE!!|remove me|Remove my number|REMOVE ME FROM THIS LIST
        take me off|take me off your list|Take my number off|get me off this list|off your list
        don't text|Don't text me|dont text me again|DON’T CONTACT ME|do not message me
        Do not send me anything|never text this number again|no more messages|No more|no more texts
        no texts please|please end these messages|end this|unsub|unsubscribe me|Unsubscribing now
        How do I unsubscribe?|opt me out|I opted out already|I want to opt out please|opting out
        I revoke my consent|I would like to cancel|cancel my subscription|quit texting me
        not interested|wrong number|Wrong person|delete my number|lose my number|This is spam
        you are harassing me|go away|fuck off|piss off|I will block you|I don't want this
        I do not want these|I no longer want these|enough|bus stop|please S T O P it
        baja|BAJA|Baja por favor|parar|PARAR|alto|basta|no me envíen más|no más mensajes|no más
        no quiero recibir mensajes|cancelar|dejen de escribirme|elimíname|para|Detener
        désabonner|DÉSABONNER|Désabonnez-moi|desabonnement|désinscrire|arrêtez|Arrête ça|arreter
        laissez-moi tranquille|plus de messages svp|je ne veux plus recevoir|retirez-moi|ne plus
        стоп|abmelden|keine SMS mehr|cessez|supprimez mon numéro|stop les messages
    """,
    "other": """
        No|nope|yes|YES|Yes please|ok|thanks|Thank you!|who is this?|what time does it end?
        See you there
        This weekend?|I'll be there|Can I bring a friend|nonstop fun|the topstop|info please|helpful
        please help me find it|when does it start|restart|Is the show cancelled?|👍|❤️|?|!!!||1|42
        Great show last night|How do I get there|where can I park|help me|started already|friend
        We loved it, more of these|Liked “Acme: doors at 7. Reply STOP to stop”
        Loved "Reply STOP to opt out"|Laughed at “don't text”|Reacted 👍 to “Reply STOP”|endless
        la fiesta es para todos|à demain|what a spectacular evening|I quite like it|non-smoking?
    """,
}
TABLE = [
    (text, meaning)
    for meaning, lines in TEXTS.items()
    for line in lines.strip().splitlines()
    for text in line.removeprefix("        ").split("|")
]

SIGNS = st.text(alphabet='  .,!?;:-–_*#()[]"“”«»…🛑🙏✋\n\t\u200b\u00ad\ufeff', max_size=6)


def test_the_table_is_long():
    assert len(TABLE) > 200


@pytest.mark.parametrize(("text", "meaning"), TABLE)
def test_what_people_write(text: str, meaning: str):
    assert meaning_of(text) == meaning


@pytest.mark.parametrize(
    ("words", "meaning"), [(STOP_WORDS, "stop"), (START_WORDS, "start"), (HELP_WORDS, "help")]
)
def test_each_word_however_it_is_written(words: frozenset[str], meaning: str):
    @given(st.data(), st.sampled_from(sorted(words)), SIGNS, SIGNS)
    def check(data: st.DataObject, word: str, before: str, after: str) -> None:
        upper = data.draw(st.lists(st.booleans(), min_size=len(word), max_size=len(word)))
        wide = data.draw(st.booleans())
        between = data.draw(st.sampled_from(["", " ", ".", "-", " . ", "\u200b"]))
        letters = [a.upper() if up else a for a, up in zip(word, upper, strict=True)]
        if wide:
            letters = [chr(ord(letter) + 0xFEE0) for letter in letters]
        read = read_text(before + between.join(letters) + after)
        assert (read.meaning, read.word) == (meaning, word)

    check()


@given(st.text(alphabet=string.ascii_letters + " ", max_size=40), st.booleans())
@example("UN", False)  # "UN stop" is not "unstop"
def test_a_text_with_a_stop_in_it_is_never_passed_over(text: str, first: bool):
    assert meaning_of(f"stop {text}" if first else f"{text} stop") in ("stop", "unclear")


@given(st.text(max_size=300))
def test_any_text_has_a_meaning(text: str):
    assert meaning_of(text) in ("stop", "start", "help", "unclear", "other")
    assert fold_text(fold_text(text)) == fold_text(text)
