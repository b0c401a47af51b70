#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
// Depth only; hair borders below `cut` cast no shadow.
in float solid;
uniform float cut;

void main() { if (solid < cut) discard; }
