# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of weights, and other programs' files of faces and of timed mouth shapes.

    weights     our own: .npz, .csv and .json, in and out
    livelink    Live Link Face CSV, in and out: 61 columns; 51 and 52 in old ones
    a2f         Audio2Face JSON and CSV, in
    cues        Rhubarb JSON and TSV, Moho .dat, Papagayo .pgo and .pg2, in
    textgrid    Praat TextGrid, in
    arkit       ARKit's 52 names as controls of our face, and the reverse, as measured
    visemes     timed mouth shapes -> mouth controls
    kinds       which of these a file is

Readers take the bytes of a file and its name, writers give text or bytes; whoever calls opens and replaces
files, with `core.files` or `edtalk_blender.settings.files`. A reader raises BadMotion: one sentence with the
file, the place and the cause. Standard library only; `weights` and `arrays` need numpy, too.
"""
