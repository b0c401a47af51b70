#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
in vec3 in_position;
in vec4 in_trait;
uniform mat4 light_view;
out float solid;

void main() { solid = in_trait.x; gl_Position = light_view * vec4(in_position, 1); }
