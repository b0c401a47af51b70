#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
in vec2 uv;
uniform sampler2D picture;
layout(location = 0) out vec4 colour;
layout(location = 1) out uint triangle;   // 0 = no surface

void main() { colour = vec4(texture(picture, uv).rgb, 1); triangle = 0u; }
