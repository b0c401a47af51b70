#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
// Lays the skin out flat: the picture drawn is the skin's texture.
in vec3 in_rest;
in vec2 in_uv;         // layout with the face magnified: where to paint
in vec2 in_mask_uv;    // the original layout: where the masks are
out vec3 rest;
out vec2 mask_uv;

void main() { rest = in_rest; mask_uv = in_mask_uv; gl_Position = vec4(in_uv * 2. - 1., 0, 1); }
