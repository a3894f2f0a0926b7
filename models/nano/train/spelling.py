# SPDX-License-Identifier: Apache-2.0
"""How a word is spelt, as a vector: which letters stand in which part of it (a pyramidal histogram of characters, PHOC: Almazan et al. 2014).

Pictures of words and their letters in the prompt are taught to tell the same vector, so that a word never seen before can be found.
"""
import numpy as np

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SIZE = len(LETTERS) + 1                        # the last: any other sign
PARTS = (1, 2, 3)
ENDS = 3                                       # first, second and last letter
LENGTH = SIZE * (sum(PARTS) + ENDS)

_number = {c: i for i, c in enumerate(LETTERS)}
_known = {}


def spell(word):
    """-> float32 (LENGTH) of zeros and ones"""
    found = _known.get(word)
    if found is None:
        found = np.zeros((sum(PARTS) + ENDS, SIZE), np.float32)
        letters = [_number.get(c, SIZE - 1) for c in word.lower()]
        row = 0
        for parts in PARTS:
            for i, c in enumerate(letters):
                low, high = i / len(letters), (i + 1) / len(letters)
                for part in range(parts):
                    if min(high, (part + 1) / parts) - max(low, part / parts) >= 0.5 * (high - low) - 1e-9:
                        found[row + part, c] = 1
            row += parts
        for k, c in enumerate([letters[0], letters[min(1, len(letters) - 1)], letters[-1]] if letters else []):
            found[row + k, c] = 1
        found = _known[word] = found.reshape(-1)
    return found


# How wide letters are, roughly and in most fonts with serifs or without: where in a drawn word a letter stands follows from it.
_WIDTHS = dict({c: 0.56 for c in "abdeghnopqu0123456789"}, **{c: 0.5 for c in "cksvxyz"}, **{c: 0.25 for c in "il"}, **{c: 0.3 for c in "fjtIr"}, m=0.83, w=0.72, M=0.83, W=0.94)
HALVES = 2 * SIZE


def halves(word, start, end):
    """Letters drawn from share `start` to share `end` of a word's width, in the left half and in the right half of that. -> (HALVES) zeros and ones"""
    found = np.zeros((2, SIZE), np.float32)
    wide = [_WIDTHS.get(c, 0.67 if c.isupper() else 0.45) for c in word]
    at, whole = 0.0, sum(wide) or 1.0
    for c, w in zip(word.lower(), wide):
        middle = (at + w / 2) / whole
        at += w
        if start <= middle <= end:
            found[int(middle > (start + end) / 2), _number.get(c, SIZE - 1)] = 1
    return found.reshape(-1)
