# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic speech whose phones are known to the millisecond, and the mouth that belongs to it.

Free speech synthesisers say sentences of our own making and report when each phone begins; a table turns
phones into mouth shapes. That gives any amount of sound with exact mouth motion, and no recorded person is
needed.

    sentences.py   what is said
    synth.py       flite and espeak-ng: text -> samples + timed visemes
    visemes.py     visemes -> the twelve mouth units, 25 steps a second
    augment.py     other throats, rooms, microphones
"""
