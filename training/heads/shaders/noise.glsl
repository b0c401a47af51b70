// SPDX-License-Identifier: GPL-3.0-or-later
// Value noise in space and in the plane.
float random_at(vec3 p) {
    p = fract(p * vec3(.1031, .1030, .0973));
    p += dot(p, p.yxz + 33.33);
    return fract((p.x + p.y) * p.z);
}

float random_at(vec2 p) { return fract(sin(dot(p, vec2(127.1, 311.7))) * 43758.5453); }

float noise(vec3 p) {
    vec3 i = floor(p), f = fract(p);
    f = f * f * (3. - 2. * f);
    vec2 e = vec2(1, 0);
    return mix(mix(mix(random_at(i), random_at(i + e.xyy), f.x),
                   mix(random_at(i + e.yxy), random_at(i + e.xxy), f.x), f.y),
               mix(mix(random_at(i + e.yyx), random_at(i + e.xyx), f.x),
                   mix(random_at(i + e.yxx), random_at(i + e.xxx), f.x), f.y), f.z);
}

float noise(vec2 p) {
    vec2 i = floor(p), f = fract(p);
    f = f * f * (3. - 2. * f);
    return mix(mix(random_at(i), random_at(i + vec2(1, 0)), f.x),
               mix(random_at(i + vec2(0, 1)), random_at(i + vec2(1, 1)), f.x), f.y);
}

float cloud(vec3 p) {
    float sum = 0., part = .5;
    for (int k = 0; k < 4; k++) { sum += part * noise(p); p = p * 2.13 + 7.; part *= .5; }
    return sum;
}
