// SPDX-License-Identifier: GPL-3.0-or-later
// What all lit surfaces share: inputs, light, shadow, tone curve, and the number of the triangle being drawn.
in vec3 position, normal, rest;
in vec2 uv;
in vec4 trait;
in vec3 in_light;
layout(location = 0) out vec4 colour;
layout(location = 1) out uint triangle;
uniform uint first_triangle;
uniform vec3 eye;
uniform vec3 key, key_colour, fill, fill_colour, ambient, ambient_up, ambient_side;
uniform sampler2DShadow shadow_map;
uniform float seed;

vec3 ambient_at(vec3 n) { return max(ambient + ambient_up * n.y + ambient_side * n.x, vec3(.01)); }

// Share of the key light that arrives: four taps of a filtered shadow map.
float lit(float facing) {
    vec3 q = in_light;
    q.z -= .004 + .010 * (1. - facing);
    vec2 r = vec2(1. / 330., .4 / 330.);
    return .25 * (texture(shadow_map, q + vec3(r.x, r.y, 0)) + texture(shadow_map, q - vec3(r.x, r.y, 0))
                + texture(shadow_map, q + vec3(-r.y, r.x, 0)) + texture(shadow_map, q + vec3(r.y, -r.x, 0)));
}

float highlight(vec3 n, vec3 v, vec3 l, float sharpness) {
    vec3 h = normalize(v + l);
    float fresnel = .04 + .6 * pow(1. - max(dot(v, h), 0.), 5.);
    return fresnel * pow(max(dot(n, h), 0.), sharpness) * (sharpness + 8.) / 25.;
}

// Filmic curve (Narkowicz' fit) and screen gamma; writes the pixel and its triangle.
void emit(vec3 light, float alpha) {
    vec3 c = max(light, 0.);
    c = c * (2.51 * c + .03) / (c * (2.43 * c + .59) + .14);
    colour = vec4(pow(clamp(c, 0., 1.), vec3(1. / 2.2)), alpha);
    triangle = first_triangle + uint(gl_PrimitiveID);
}
