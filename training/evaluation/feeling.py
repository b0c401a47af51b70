# SPDX-License-Identifier: GPL-3.0-or-later
"""Does it understand what is felt? Sentences written by hand, on which nobody trained.

They are ordinary sentences and not made from the frames of `training.speech.feelings`; many hold no word that
names the feeling. (Whoever wrote them also wrote the lexicon, so they flatter it a little.) With no voice,
the feeling that is shown most must be the one they were written for; by chance one in eight is.
"""

from __future__ import annotations

import numpy as np

from core.models.speech_to_expression import SpeechToExpression, feeling_track
from core.sound.lexicon import FELT
from core.sound.transcript import words_of

SENTENCES = {
    "angry": """
        How many times do I have to repeat myself?
        You had no business reading my diary.
        I'm furious with the bank.
        He just cut in line and nobody said anything, the cheek of it!
        Get off my lawn!
        Stop lying to my face!
        I swear, if they charge me one more time I will sue.
        Don't you ever speak to her like that again!
    """,
    "contempt": """
        Well, aren't you special.
        I've met toddlers with better manners.
        What a pathetic excuse for a leader.
        He thinks he's an artist, bless him.
        Frankly, that was amateur hour.
        You wouldn't last a day in my shoes.
        Is that supposed to impress me?
        Their whole plan is laughable.
    """,
    "disgusted": """
        The fridge hasn't been cleaned in months and there's fur on the cheese.
        Ugh, what is that stuff on your shoe?
        The bathroom was absolutely filthy.
        I found a worm in my salad.
        That smells revolting.
        He chewed with his mouth open.
        The bin juice leaked all over my hands.
        Please don't show me the wound, it's gross.
    """,
    "fear": """
        I think someone is following me.
        The engine just stopped and we're over the sea.
        What was that noise upstairs?
        I'm terrified of what the doctor will say.
        Please don't let go of my hand.
        There's a stranger at the window.
        The ground is shaking, get under the table!
        I've been dreading this exam for weeks.
    """,
    "happy": """
        We're having a baby!
        I passed every single exam.
        Thank you so much, this is perfect.
        The kids were giggling all afternoon.
        It was a glorious day at the beach.
        I'm delighted to announce the winners.
        He proposed under the stars and I said yes.
        Finally, my song is on the radio!
    """,
    "sad": """
        We had to put the dog to sleep this morning.
        Mum doesn't recognise me any more.
        I cried all the way home.
        After forty years the factory closed its gates.
        He never got to meet his granddaughter.
        I feel so lonely since you left.
        Nothing I do seems to matter.
        They cancelled the wedding and she moved away.
    """,
    "surprised": """
        Hang on, you two know each other?
        I opened the box and a frog jumped out!
        Wow, I did not see that coming.
        Since when do you speak Japanese?
        And then, out of the blue, he called.
        You're twins?!
        That's unbelievable, forty points in one game.
        Good heavens, it's snowing in July.
    """,
    "neutral": """
        The museum is closed on Mondays.
        Mix the eggs with the sugar and set aside.
        My appointment is at half past ten.
        The bus stops in front of the library.
        He read the second chapter and made some notes.
        The printer needs new paper.
        Click the button in the upper corner to continue.
        Water boils at one hundred degrees.
    """,
}
"""Feeling -> eight sentences."""


def written_sentences() -> list[tuple[str, str]]:
    """(sentence, feeling) of all."""
    return [
        (line.strip(), feeling) for feeling, text in SENTENCES.items() for line in text.strip().splitlines()
    ]


def shown(net: SpeechToExpression, sentence: str) -> tuple[str, float]:
    """The feeling that a sentence shows without a voice, and how much of it."""
    words = words_of(sentence)
    track = feeling_track(net, None, words, 12 * len(words)).mean(axis=0)
    best = int(track.argmax())
    return (FELT[best], float(track[best])) if track.sum() > 0.25 else ("neutral", float(1 - track.sum()))


def measure(net: SpeechToExpression) -> dict[str, float]:
    """Share of the sentences whose feeling is shown, in all and by feeling."""
    right: dict[str, list[bool]] = {feeling: [] for feeling in SENTENCES}
    for sentence, feeling in written_sentences():
        right[feeling].append(shown(net, sentence)[0] == feeling)
    table = {f"read {feeling}": float(np.mean(hits)) for feeling, hits in right.items()}
    return {"read": float(np.mean([hit for hits in right.values() for hit in hits])), **table}
