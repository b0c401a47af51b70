#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
in vec2 in_corner;
out vec2 uv;

void main() { uv = vec2(in_corner.x, -in_corner.y) * .5 + .5; gl_Position = vec4(in_corner, 1, 1); }
