# SPDX-License-Identifier: Apache-2.0
"""The words, names and fonts that pictures are made with, and those that are kept for evaluation.

Any word of the dictionary whose hash ends so is held out: no picture and no task of the training holds it. Needs /usr/share/dict/words
(Debian: wamerican).
"""
import hashlib
import random
import re

import words

FONTS = ["Arial", "Arial", "Arial", "DejaVu Sans", "DejaVu Sans", "DejaVu Serif", "Liberation Serif", "Nimbus Sans", "FreeSans", "DejaVu Sans Mono",
         "Liberation Sans Narrow", "C059"]
HELD_FONTS = ["Roboto", "URW Gothic", "P052", "FreeSerif"]
NAMES = """Ada Alan Grace Linus Maria John Smith Lee Chen Kumar Rossi Garcia Emma Noah Olivia Liam Ava Mia Lucas Ethan Amelia Harper Evelyn
Logan Mason Sofia Jacob Elena Marco Ivan Olga Yuki Hiro Fatima Omar Leila Priya Arjun Mei Wei Anna Peter Paul Laura Clara Hugo Felix Nina
Oscar Ruth Simon Tom Victor Wendy Xavier Yara Zoe Carl Diana Erik Fiona Gina Hans Iris Jack Kate Nora Otto Petra Quinn Rosa Stella Tina""".split()
COUNTRIES = """Albania Austria Belgium Brazil Canada Chile China Cuba Denmark Egypt Finland France Germany Greece Hungary Iceland India Ireland
Italy Japan Kenya Latvia Mexico Nepal Norway Panama Peru Poland Portugal Qatar Romania Spain Sweden Turkey Uganda Vietnam Yemen Zambia""".split()


def is_held(word):
    return hashlib.sha256(word.lower().encode()).digest()[0] < 26      # a tenth


def dictionary():
    """Plain words of 2 to 10 letters. -> those for training, those held out"""
    with open("/usr/share/dict/words") as f:
        found = sorted({w for w in f.read().split() if re.fullmatch("[A-Za-z][a-z]{1,9}", w)})
    return [w for w in found if not is_held(w)], [w for w in found if is_held(w)]


def for_pages(held=False):
    """What shell.js calls `lexicon`."""
    learnt, kept = dictionary()
    lexicon = dict(words=learnt, common=sorted(set(words.BUTTONS + words.FIELDS + words.CHECKS)), names=NAMES + COUNTRIES, titles=words.TITLES, fonts=FONTS)
    if held:
        pick = random.Random(1)
        lexicon.update(words=kept, common=pick.sample(kept, 300), names=[w.capitalize() for w in pick.sample(kept, 300)], fonts=HELD_FONTS)
    return lexicon


class Lexicon:
    """Labels and values for dialogs. held: words that no training picture shows."""

    def __init__(self, held=False):
        self.page = for_pages(held)
        self.fonts = self.page["fonts"]

    def nonce(self, r):
        if r.random() < 0.3:
            return "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(r.randint(2, 7)))
        starts = ["b", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "st", "tr", "ch", "sh", "pl", "br", ""]
        ends = ["", "", "n", "r", "s", "t", "l", "x", "m", "nd", "ck", "ng"]
        return "".join(r.choice(starts) + r.choice("aeiouy") + r.choice(ends) for _ in range(r.randint(1, 3)))

    def label(self, r):
        """The name of a widget."""
        u = r.random()
        word = r.choice(self.page["words"]) if u < 0.55 else r.choice(self.page["common"]) if u < 0.85 else self.nonce(r)
        return word[0].upper() + word[1:] if r.random() < 0.8 else word

    def labels(self, r, count):
        """Different ones, none the beginning of another."""
        found = []
        while len(found) < count:
            word = self.label(r)
            if not any(a.lower().startswith(word.lower()) or word.lower().startswith(a.lower()) for a in found):
                found.append(word)
        return found

    def value(self, r):
        """What is typed."""
        u = r.random()
        if u < 0.1:
            return str(r.randint(0, 99999))
        if u < 0.2:
            return self.nonce(r)
        if u < 0.25:
            return "%s@%s.com" % (self.nonce(r), r.choice(self.page["words"]).lower())
        word = r.choice(self.page["words"] if r.random() < 0.6 else self.page["names"])
        return word if r.random() < 0.85 else word + " " + r.choice(self.page["words"])
