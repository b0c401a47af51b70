#version 330
// SPDX-License-Identifier: GPL-3.0-or-later
// Vertices arrive posed and projected (training/heads/pose.py); only the shadow map's view is computed here.
in vec4 in_clip;
in vec3 in_position;
in vec3 in_normal;
in vec3 in_rest;    // place on the base head: what all surface patterns hang on
in vec2 in_uv;
in vec4 in_trait;   // meaning depends on the material
uniform mat4 light_view;
out vec3 position, normal, rest;
out vec2 uv;
out vec4 trait;
out vec3 in_light;

void main() {
    position = in_position; normal = in_normal; rest = in_rest; uv = in_uv; trait = in_trait;
    in_light = (light_view * vec4(in_position, 1)).xyz * .5 + .5;
    gl_Position = in_clip;
}
